"""Random queries for benchmarks, reproducible by seed."""

import random

from sluicegate.models.data import safe, unsafe
from sluicegate.models.data.corruption import corrupt
from sluicegate.models.data.products import product_query
from sluicegate.models.inference.labels import Category


def mixed_queries(count: int) -> list[str]:
    """Misspelt product queries, questions, requests for help and unsafe requests, a quarter each; all different."""
    rng = random.Random(1)
    kinds = (
        lambda: corrupt(product_query(rng).text, rng),
        lambda: safe.other(rng),
        lambda: safe.support(rng),
        lambda: unsafe.unsafe(rng.choice(list(Category)), rng),
    )
    found: dict[str, None] = {}
    while len(found) < count:
        found[rng.choice(kinds)()] = None
    return list(found)


def zipf_queries(count: int, distinct: int = 20_000) -> list[str]:
    """Queries by Zipf's law: the n-th most popular occurs 1/n as often as the first."""
    weights = [1 / rank for rank in range(1, distinct + 1)]
    return random.Random(2).choices(mixed_queries(distinct), weights, k=count)
