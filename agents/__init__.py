"""What runs: the worker, its pipeline, its telemetry and its command line."""
