"""The taxonomy: the labels of the gate, and the intents of queries.

`LABELS_VERSION` goes into every compiled model's manifest. Adding, removing or renaming a label is a new version,
and an `embedded` model of another version is refused at start: its tokens would mean something else.
"""

from typing import Final

from sluicegate.schemas.vocabulary import Category, Intent

LABELS_VERSION: Final = "1"


ALLOW: Final = "allow"
LABELS: Final = (ALLOW, *(category.value for category in Category))
"""The gate's classes, in the order of the engine's probabilities: `allow`, then each category."""

__all__ = ["ALLOW", "LABELS", "LABELS_VERSION", "Category", "Intent"]
