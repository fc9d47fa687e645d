"""The taxonomy: what a query can be judged to be, and what it can want.

`LABELS_VERSION` goes into every compiled model's manifest. Adding, removing or renaming a label is a new version,
and an `embedded` model of another version is refused at start: its tokens would mean something else.
"""

from enum import StrEnum
from typing import Final

LABELS_VERSION: Final = "1"


class Category(StrEnum):
    """Why a query may be unsafe. The order is the order of the probabilities in events."""

    HATE = "hate"
    HARASSMENT = "harassment"
    SEXUAL = "sexual"
    VIOLENCE = "violence"
    SELF_HARM = "self_harm"
    ILLICIT = "illicit"
    SPAM = "spam"
    PROMPT_INJECTION = "prompt_injection"
    PERSONAL_DATA = "personal_data"


class Intent(StrEnum):
    """What the query wants. The first ten are the domains of CLINC150 (Larson et al., 2019)."""

    TRAVEL = "travel"
    BANKING = "banking"
    UTILITY = "utility"
    WORK = "work"
    CREDIT_CARDS = "credit_cards"
    AUTO_AND_COMMUTE = "auto_and_commute"
    KITCHEN_AND_DINING = "kitchen_and_dining"
    SMALL_TALK = "small_talk"
    META = "meta"
    HOME = "home"
    BANKING_SUPPORT = "banking_support"
    PRODUCT_SEARCH = "product_search"
    NAVIGATION = "navigation"
    SUPPORT = "support"
    OTHER = "other"


ALLOW: Final = "allow"
LABELS: Final = (ALLOW, *(category.value for category in Category))
"""The gate's classes, in the order of the engine's probabilities: `allow`, then each category."""
