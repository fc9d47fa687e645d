"""Choosing a share of all texts: the same ones on every machine and in every run."""

import hashlib


def falls_within(text: str, share: float) -> bool:
    """Whether `text` is in a `share` of all texts. A larger share contains every text of a smaller one."""
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest) < share * 2**64
