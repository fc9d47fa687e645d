"""Sluicegate: moderate, understand and rewrite raw queries before search, recommendation and ads see them."""
