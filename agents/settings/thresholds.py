"""Reading thresholds from a setting."""

from sluicegate.agents.settings.variables import from_json
from sluicegate.models.inference.labels import Category
from sluicegate.models.inference.threshold_errors import wrong_threshold
from sluicegate.schemas.events import Threshold


def thresholds_from_json(value: object) -> object:
    """Thresholds by category, from JSON text or an object.

    Raises:
        ValueError: they are wrong; says which and what to write.
    """
    try:
        return from_json(value, dict[Category, Threshold])
    except ValueError as error:
        reason = wrong_threshold(_json_or_none(value)) or error
        raise ValueError(f'{reason}: write {{"hate": {{"allow": 0.2, "block": 0.6}}}}') from None


def _json_or_none(value: object) -> object:
    try:
        return from_json(value, object)
    except ValueError:
        return None
