"""What a model should beat: a linear classifier on n-grams, and a dictionary speller."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Final

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from symspellpy import SymSpell

from sluicegate.models.evaluation.calibration import Floats

_EDITS: Final = 2


class TfidfClassifier:
    """TF-IDF of word pairs and of 2 to 5 letters within words, then logistic regression."""

    name: Final = "TF-IDF + logistic regression"

    def __init__(self, texts: Sequence[str], labels: Sequence[str]) -> None:
        """Fit it on `texts` with one of `labels` each."""
        words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
        letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=3, sublinear_tf=True)
        self._pipeline = make_pipeline(make_union(words, letters), LogisticRegression(C=10, max_iter=400))
        self._pipeline.fit(list(texts), list(labels))

    def probabilities(self, texts: Sequence[str], labels: Sequence[str]) -> Floats:
        """Probabilities of shape (texts, labels). Zero for a label that was not in the training rows."""
        known = self._pipeline.predict_proba(list(texts))
        columns = {label: known[:, place] for place, label in enumerate(self._pipeline.classes_)}
        return np.stack([columns.get(label, np.zeros(len(texts))) for label in labels], axis=1)

    def predict(self, texts: Sequence[str]) -> list[str]:
        """The likeliest label of each text."""
        return [str(label) for label in self._pipeline.predict(list(texts))]


class DictionarySpeller:
    """SymSpell (Garbe, 2012) with symspellpy's English dictionary. Corrects, joins and splits words."""

    name: Final = "SymSpell"

    def __init__(self) -> None:
        self._speller = SymSpell(max_dictionary_edit_distance=_EDITS)
        dictionaries = files("symspellpy")
        self._speller.load_dictionary(str(dictionaries / "frequency_dictionary_en_82_765.txt"), 0, 1)
        self._speller.load_bigram_dictionary(str(dictionaries / "frequency_bigramdictionary_en_243_342.txt"), 0, 2)

    def rewrite(self, queries: Sequence[str]) -> list[str]:
        """The likeliest correction of each query."""
        return [
            self._speller.lookup_compound(query, _EDITS, ignore_non_words=True, transfer_casing=False)[0].term
            for query in queries
        ]
