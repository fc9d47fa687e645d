"""What the owners of a gate decide for themselves: thresholds by surface, and lists of terms, in one versioned file."""
