"""The programs: the gate worker and the command line."""
