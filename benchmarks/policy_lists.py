"""What the lists of a policy cost: compiling them, and looking for them in a query.

    python -m benchmarks.policy_lists --terms 100000

The queries are the product queries that the embedded model is trained with; the terms are pairs and triples of their
words, so that many of them begin as a query does.
"""

import argparse
import random
import statistics
import time

from sluicegate.models.data.products import product_query
from sluicegate.models.inference.labels import Category
from sluicegate.models.policy.term_lists import Action, TermList, TermLists

_ROUNDS = 5


def main() -> None:
    """Print the medians of several rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--terms", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=2_000)
    arguments = parser.parse_args()
    rng = random.Random(7)
    queries = [product_query(rng).text for _ in range(arguments.queries)]
    words = sorted({word for query in queries for word in query.split()})
    terms: set[str] = set()
    while len(terms) < arguments.terms:
        terms.add(" ".join(rng.choices(words, k=rng.randint(2, 3))))
    for size in (10, arguments.terms):
        listed = TermList("listed", Action.BLOCK, Category.SPAM, None, tuple(sorted(terms)[:size]))
        started = time.process_time()
        lists = TermLists([listed])
        compiled_s = time.process_time() - started
        medians = [statistics.median(_times_us(lists, queries)) for _ in range(_ROUNDS)]
        print(f"{size} terms: compiled in {compiled_s:.2f} s of CPU, p50 {statistics.median(medians):.1f} µs a query")


def _times_us(lists: TermLists, queries: list[str]) -> list[float]:
    times = []
    for query in queries:
        started = time.perf_counter_ns()
        lists.find(query, None)
        times.append((time.perf_counter_ns() - started) / 1000)
    return times


if __name__ == "__main__":
    main()
