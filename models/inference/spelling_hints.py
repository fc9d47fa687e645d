"""The hint in the prompt of an `adapted` model: the speller's correction of the query. The model may take it."""

from pathlib import Path
from typing import Final

from sluicegate.models.text.readings import same_words
from sluicegate.models.text.speller import SPELLER_FILE, Speller
from sluicegate.models.text.word_list import OWN_WORDS_FILE, SPELLER_WORDS_FILE
from sluicegate.models.text.word_pairs import SPELLER_PAIRS_FILE

HINT_FILES: Final = (SPELLER_FILE, SPELLER_PAIRS_FILE, SPELLER_WORDS_FILE, OWN_WORDS_FILE)

_EMBEDDED: Final = Path(__file__).resolve().parents[1] / "embedded"


def hint_folder(checkpoint: Path) -> Path:
    """Where the speller of a model of `checkpoint` comes from: that folder, or the embedded model."""
    return checkpoint if (checkpoint / SPELLER_FILE).is_file() else _EMBEDDED


class SpellingHints:
    """Gives hints. Thread-safe."""

    def __init__(self, speller: Speller) -> None:
        self._speller = speller

    @classmethod
    def load(cls, folder: Path) -> "SpellingHints":
        """The hints of the speller in `folder`; raises CompiledModelError."""
        return cls(Speller.load(folder))

    def of(self, text: str, locale: str | None = None) -> str | None:
        """The correction of a normalised query, also one that is only likely; None where there is none."""
        correction = self._speller.correct(text, locale)
        likely = [suggestion.text for suggestion in correction.suggestions]
        return next((each for each in (correction.text, *likely) if not same_words(each, text)), None)
