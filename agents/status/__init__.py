"""What the status page shows: how a process is, what is wrong and what to do, from metrics and health."""
