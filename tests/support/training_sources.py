"""A few rows of every file that the embedded model is trained on, rows that must not be used among them."""

from pathlib import Path
from typing import Any

import orjson

from sluicegate.models.inference.labels import Category

SOURCES: dict[str, list[dict[str, Any]]] = {
    "moderation_train.jsonl": [
        *(
            {"text": f"bad text {n}", "label": "review", "category": "harassment", "source": "davidson-2017"}
            for n in range(3)
        ),
        {"text": "worse", "label": "block", "category": "hate", "source": "davidson-2017"},
        {"text": "illegal", "label": "block", "category": "illicit", "source": "advbench"},
        {"text": "fine", "label": "allow", "category": "none", "source": "davidson-2017"},
        {"text": "long and fine", "label": "allow", "category": "none", "source": "openai-moderation-eval"},
        *(
            {"text": f"{category} text", "label": "block", "category": category, "source": "openai-moderation-eval"}
            for category in list(Category)[:5]
        ),
        {"text": "FORBIDDEN", "label": "block", "category": "illicit", "source": "advbench", "licence": "CC-BY-NC-4.0"},
    ],
    "intents.jsonl": [
        {"text": "book a flight", "domain": "travel", "split": "train", "source": "clinc150"},
        {"text": "FORBIDDEN", "domain": "travel", "split": "test", "source": "clinc150"},
        {"text": "my card is lost", "domain": "banking_support", "split": "train", "source": "banking77"},
    ],
    "queries.jsonl": [
        {"query": "blue sofa", "facets": ["Sofas"], "source": "wands"},
        {"query": "FORBIDDEN", "facets": [], "source": "wands", "licence": "see repository"},
    ],
}


def write_sources(folder: Path, sources: dict[str, list[dict[str, Any]]]) -> None:
    """Write each file of `sources` into `folder`."""
    for name, rows in sources.items():
        (folder / name).write_bytes(b"\n".join(orjson.dumps({"licence": "MIT", **row}) for row in rows))
