"""The worker's process: its start, its environment, its health and its end."""
