"""Naming the category of a wrong threshold: msgspec names the field, but not the key of a dictionary."""

import msgspec

from sluicegate.schemas.events import Threshold


def wrong_threshold(thresholds: object) -> str | None:
    """Which of `thresholds`, an object decoded from JSON, is wrong, and why. None if all of them are right."""
    for category, threshold in thresholds.items() if isinstance(thresholds, dict) else ():
        try:
            msgspec.convert(threshold, Threshold)
        except msgspec.ValidationError as error:
            return f"threshold of {category!r}: {error}"
    return None
