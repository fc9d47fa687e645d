"""Formatting one text: its schema, a place in a batch, its deadline. No Kafka and no HTTP here."""
