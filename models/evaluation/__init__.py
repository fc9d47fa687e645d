"""How good a model is, measured in the same way for compiled models and baselines. Needs the extra ``eval``.

rows ─► answers of each system (a model, a baseline) ─► moderation, intent or rewrite scores ─► tables, JSON, HTML
"""
