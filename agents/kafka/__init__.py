"""Everything that talks to Kafka: consuming through Faust, publishing, offsets, security, topics, reading the log."""
