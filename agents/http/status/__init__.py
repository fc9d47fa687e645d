"""The status page over HTTP: who may read it, the page, and the stream that keeps it up to date."""
