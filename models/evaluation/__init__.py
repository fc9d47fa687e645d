"""How good a model is, measured the same way for any compiled model and honest baselines. Needs the extra ``[eval]``.

rows ─► answers of each system (a model, a baseline) ─► moderation, intent or rewrite scores ─► tables, JSON, HTML
"""
