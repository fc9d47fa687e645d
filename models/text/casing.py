"""Lower case that adds no character."""


def lower_case(text: str) -> str:
    """`text` in lower case. Python writes İ as an i with a combining dot, which no language has: here it is an i."""
    return text.replace("İ", "i").lower()
