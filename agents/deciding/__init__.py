"""One query's decision: cache, micro-batcher, live models and the decider that joins them. No Kafka."""
