"""What is promised: the events, their JSON Schemas, the errors. Imports nothing of ours."""
