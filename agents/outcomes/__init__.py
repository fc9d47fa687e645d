"""What every agent on Kafka does with an event around its own work: origin, outputs, dead letter, ledger."""
