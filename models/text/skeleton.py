"""stub"""

from dataclasses import dataclass

from sluicegate.schemas.reason_codes import DisguiseCode


@dataclass(frozen=True)
class Skeleton:
    text: str
    codes: tuple[DisguiseCode, ...]


def skeleton(text: str) -> Skeleton | None:
    return None
