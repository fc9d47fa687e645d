"""Compiled models on disk: their manifest and the registry."""
