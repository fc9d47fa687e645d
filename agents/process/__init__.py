"""The worker's process: its start, its health, its memory allocator and its end."""
