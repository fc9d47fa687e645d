"""The gate agent: it consumes raw queries and publishes a named outcome for each."""
