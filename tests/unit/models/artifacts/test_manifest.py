"""The manifest of a compiled model: what is written is what is read, and what is wrong is named."""

import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from sluicegate.models.artifacts.manifest import Manifest, read_manifest, verify_weights, write_manifest
from sluicegate.models.inference.labels import Category
from sluicegate.schemas.errors import CompiledModelError
from sluicegate.schemas.events import Threshold

WEIGHTS = b"weights"


def manifest() -> Manifest:
    return Manifest(
        name="tiny",
        profile="tuned",
        source="tiny-checkpoint",
        quantization="int8",
        weights_sha256=hashlib.sha256(WEIGHTS).hexdigest(),
        parameters=7,
        labels_version="1",
        prompt_version="2",
        temperature=1.5,
        thresholds={
            Category.VIOLENCE: Threshold(allow=0.2, block=0.9),
            Category.SPAM: Threshold(allow=0.5, block=1.1),
        },
        compiler="sluicegate 0.1.0, ctranslate2 4.8.5",
        created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )


def test_a_manifest_reads_back_as_it_was_written(tmp_path: Path) -> None:
    write_manifest(tmp_path, manifest())
    assert read_manifest(tmp_path) == manifest()
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def test_the_creation_time_is_written_as_rfc_3339_in_utc(tmp_path: Path) -> None:
    write_manifest(tmp_path, manifest())
    assert '"2026-01-02T03:04:05Z"' in (tmp_path / "manifest.json").read_text()


def test_the_model_version_is_the_name_and_the_start_of_the_hash() -> None:
    assert manifest().model_version == f"tiny@{hashlib.sha256(WEIGHTS).hexdigest()[:12]}"


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("profile", "chatty", "$.profile"),
        ("quantization", "int4", "$.quantization"),
        ("weights_sha256", "123", "$.weights_sha256"),
        ("temperature", 0, "$.temperature"),
        ("created_at", "2026-01-02T03:04:05", "$.created_at"),
        ("thresholds", {"spam": {"allow": 0.9, "block": 0.1}}, "$.thresholds[...]"),
        ("thresholds", {"spam": {"allow": 1.5, "block": 2}}, "$.thresholds[...].allow"),
        ("format", 2, "format is 2"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, field: str, value: object, named: str) -> None:
    fields = msgspec.json.decode(msgspec.json.encode(manifest()), type=dict[str, object])
    (tmp_path / "manifest.json").write_bytes(msgspec.json.encode({**fields, field: value}))
    with pytest.raises(CompiledModelError, match=re.escape(named)):
        read_manifest(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"{}"])
def test_what_is_not_a_manifest_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(CompiledModelError, match=r"manifest\.json: .+ Correct that field") as caught:
        read_manifest(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_manifest_is_not_a_compiled_model(tmp_path: Path) -> None:
    with pytest.raises(CompiledModelError, match="is not a compiled model"):
        read_manifest(tmp_path)


def test_weights_that_match_the_hash_are_accepted(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(WEIGHTS)
    verify_weights(tmp_path, manifest())


def test_weights_that_were_exchanged_or_lost_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CompiledModelError, match="cannot read"):
        verify_weights(tmp_path, manifest())
    (tmp_path / "model.bin").write_bytes(WEIGHTS + b"!")
    with pytest.raises(CompiledModelError, match="damaged or were exchanged"):
        verify_weights(tmp_path, manifest())
