"""Improving a model with your own data: rows from a teacher model or from reviewers, and LoRA training on them."""
