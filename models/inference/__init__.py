"""Asking a compiled model: prompts, tokens, the engine, and the policy that turns probabilities into a verdict."""
