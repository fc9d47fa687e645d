"""What is wrong with thresholds: msgspec names the field, but neither the key of a dictionary nor what it may be."""

import msgspec

from sluicegate.schemas.events import Threshold
from sluicegate.schemas.vocabulary import Category


def wrong_threshold(thresholds: object) -> str | None:
    """Which of `thresholds`, an object decoded from JSON, is wrong, and why. None if all of them are right."""
    for category, threshold in thresholds.items() if isinstance(thresholds, dict) else ():
        if category not in list(Category):
            return f"there is no category {category!r}, only {', '.join(Category)}"
        try:
            msgspec.convert(threshold, Threshold)
        except msgspec.ValidationError as error:
            return f"threshold of {category!r}: {error}"
    return None
