"""A share of all texts: the same ones on every machine and in every run."""

import hashlib


def falls_within(text: str, share: float) -> bool:
    """Whether `text` belongs to a `share` of all texts; more of them do as the share grows."""
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest) < share * 2**64
