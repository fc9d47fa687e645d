"""How well a compiled model decides: ``python -m benchmarks.quality --data FOLDER`` prints the model card's numbers.

Reads moderation_dev.jsonl and intents.jsonl (rows of split "dev") as `models.training.dataset` describes them, and
rows of every licence: they are only measured on, not trained on. Rewrites are measured on seeded corruptions of clean
dev queries, which the model has not seen.
"""

import random
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from agents.settings import EMBEDDED_MODEL
from models.engine import EncodedQuery, Engine, Judgement
from models.labels import ALLOW
from models.normalise import normalise
from models.policy import Verdict
from models.training.corruption import corrupt

_BATCH: Final = 64
_SEED: Final = 7


def rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON Lines file."""
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def judge_all(engine: Engine, texts: Iterable[str], description: str) -> list[Judgement]:
    """A judgement per text, in order, in batches of equal length."""
    lanes: dict[int, list[tuple[int, EncodedQuery]]] = defaultdict(list)
    for index, text in enumerate(texts):
        query = engine.encode(normalise(text).text or " ")
        lanes[len(query.tokens)].append((index, query))
    batches = [lane[i : i + _BATCH] for lane in lanes.values() for i in range(0, len(lane), _BATCH)]
    judged: dict[int, Judgement] = {}
    for batch in track(batches, description, console=Console(stderr=True)):
        results = engine.judge([query for _, query in batch])
        judged.update((index, result) for (index, _), result in zip(batch, results, strict=True))
    return [judged[index] for index in range(len(judged))]


def moderation(engine: Engine, data: Path) -> Table:
    """Shares allowed, reviewed and blocked, per source and label of dev; texts known from the intents left out."""
    table = Table("source", "label", "category", "rows", "allowed", "review", "blocked", title="Moderation, dev")
    seen = {row["text"] for row in rows(data / "intents.jsonl") if row["split"] == "train"}
    dev = [row for row in rows(data / "moderation_dev.jsonl") if row["text"] not in seen]
    verdicts: dict[tuple[str, str, str], Counter[Verdict]] = defaultdict(Counter)
    for row, judgement in zip(dev, judge_all(engine, (row["text"] for row in dev), "moderation"), strict=True):
        verdicts[row["source"], row["label"], row["category"]][judgement.ruling.verdict] += 1
    for key, counts in sorted(verdicts.items(), key=lambda item: (item[0][1], item[0][0])):
        total = counts.total()
        shares = (f"{counts[verdict] / total:.1%}" for verdict in (Verdict.ALLOW, Verdict.REVIEW, Verdict.BLOCK))
        table.add_row(*key, str(total), *shares)
    return table


def intents(engine: Engine, data: Path) -> Table:
    """Accuracy over the domains of the dev split; a blocked query counts as wrong."""
    dev = [row for row in rows(data / "intents.jsonl") if row["split"] == "dev" and row["domain"] != "out_of_scope"]
    right: Counter[str] = Counter()
    for row, judgement in zip(dev, judge_all(engine, (row["text"] for row in dev), "intents"), strict=True):
        right[row["domain"]] += judgement.intent == row["domain"]
    table = Table("domain", "rows", "accuracy", title="Intent, CLINC150 dev")
    for domain, total in sorted(Counter(row["domain"] for row in dev).items()):
        table.add_row(domain, str(total), f"{right[domain] / total:.1%}")
    table.add_row("all", str(len(dev)), f"{right.total() / len(dev):.1%}", style="bold")
    return table


def rewrites(engine: Engine, data: Path) -> Table:
    """Exact matches with the clean query, for clean queries and for seeded corruptions of them."""
    rng = random.Random(_SEED)
    intents_dev = [row["text"].lower() for row in rows(data / "intents.jsonl") if row["split"] == "dev"]
    products = [row["query"].lower() for row in rows(data / "queries.jsonl") if row["source"] != "wands"]
    table = Table("queries", "rows", "clean, kept", "corrupted, restored", title="Rewrite, exact match")
    for name, texts in (
        ("CLINC150 dev", rng.sample(intents_dev, 1000)),
        ("product queries", rng.sample(products, 1000)),
    ):
        clean = [normalise(text).text for text in texts]
        pairs = [(corrupt(text, rng), text) for text in clean]
        pairs = [(corrupted, text) for corrupted, text in pairs if corrupted != text]
        kept = judge_all(engine, clean, f"{name}, clean")
        restored = judge_all(engine, (corrupted for corrupted, _ in pairs), f"{name}, corrupted")
        table.add_row(
            name,
            str(len(clean)),
            f"{statistics.fmean(got.lexical == text for got, text in zip(kept, clean, strict=True)):.1%}",
            f"{statistics.fmean(got.lexical == text for got, (_, text) in zip(restored, pairs, strict=True)):.1%}",
        )
    return table


def latency(engine: Engine, data: Path) -> Table:
    """One query at a time, gate and answer, inside the process."""
    rng = random.Random(_SEED)
    texts = rng.sample([row["text"] for row in rows(data / "intents.jsonl") if row["split"] == "dev"], 300)
    milliseconds = []
    for text in texts:
        started = time.perf_counter()
        engine.judge([engine.encode(normalise(text).text)])
        milliseconds.append((time.perf_counter() - started) * 1000)
    table = Table("queries", "p50 ms", "p95 ms", title="Latency, batch of one")
    cuts = statistics.quantiles(milliseconds, n=20)
    table.add_row(str(len(texts)), f"{cuts[9]:.1f}", f"{cuts[18]:.1f}")
    return table


def main(
    data: Annotated[Path, typer.Option(help="Folder with moderation_dev.jsonl, intents.jsonl, queries.jsonl.")],
    model: Annotated[Path, typer.Option(help="Folder of a compiled model.")] = EMBEDDED_MODEL,
) -> None:
    """Print the tables of one model."""
    engine = Engine(model)
    console = Console()
    console.print(f"{engine.manifest.model_version}, {ALLOW} below the shipped thresholds")
    for part in (moderation, intents, rewrites, latency):
        console.print(part(engine, data))


if __name__ == "__main__":
    typer.run(main)
