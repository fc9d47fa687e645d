"""The format agent: it consumes raw actions and publishes JSON that follows their schemas."""
