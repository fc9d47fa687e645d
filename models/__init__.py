"""What thinks: normalising, compiling, the engine and what surrounds a model. Knows nothing of Kafka."""
