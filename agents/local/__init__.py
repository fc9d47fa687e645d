"""Everything that ``sluice up`` needs on a machine with nothing else: a broker, a trace receiver, a sample."""
