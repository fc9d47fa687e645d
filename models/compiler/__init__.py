"""From a checkpoint to a compiled model, without torch."""
