"""OpenAI's API on our models: `/v1/moderations`, `/v1/chat/completions` and `/v1/models`.

OpenAI's clients work unmodified. What we cannot do is refused by its name, never ignored.
"""
