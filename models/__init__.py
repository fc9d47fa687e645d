"""Models and their text: normalising, compiling, serving, training and evaluation. It does not know Kafka."""
