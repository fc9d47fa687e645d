"""English words and how often books use them."""

from importlib.resources import files


def english_words(limit: int | None = None) -> list[tuple[str, int]]:
    """Words of symspellpy's frequency dictionary with their counts, commonest first."""
    dictionary = files("symspellpy").joinpath("frequency_dictionary_en_82_765.txt").read_text("utf-8-sig")
    pairs = (line.split() for line in dictionary.splitlines()[:limit])
    return [(word, int(count)) for word, count in pairs]
