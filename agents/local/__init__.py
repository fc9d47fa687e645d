"""What ``sluice up`` needs on a machine without Kafka: a broker, a trace receiver and sample queries."""
