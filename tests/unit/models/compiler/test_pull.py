"""Pulling from a hub: a small local server answers as the Hugging Face hub does."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sluicegate.models.artifacts.manifest import DEFAULT_QUANTIZATION, Manifest, read_manifest, verify_files
from sluicegate.models.compiler.pull import default_folder, hub_id_of, pull
from sluicegate.schemas.errors import CheckpointError, CompiledModelError, ConfigurationError
from tests.support.checkpoints import write_checkpoint

REPO = "somebody/Qwen3-tiny"
COMMIT = "c0ffee" + "0" * 34


class FakeHub(ThreadingHTTPServer):
    """Serves one repository. `cut` names a file whose body is truncated; `requested` lists the requested files."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.folder = folder
        self.cut = ""
        self.requested: list[str] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answers(BaseHTTPRequestHandler):
    server: FakeHub

    def do_HEAD(self) -> None:
        self._file(with_body=False)

    def do_GET(self) -> None:
        if self.path.startswith(f"/api/models/{REPO}/revision/"):
            if self.path.rsplit("/", 1)[-1] not in ("main", COMMIT):
                self._missing("RevisionNotFound")
                return
            siblings = [{"rfilename": path.name} for path in sorted(self.server.folder.iterdir())]
            self._answer(json.dumps({"id": REPO, "sha": COMMIT, "siblings": siblings}).encode())
        elif self.path.startswith("/api/models/"):
            self._missing("RepoNotFound")
        else:
            self._file(with_body=True)

    def _file(self, *, with_body: bool) -> None:
        match = re.fullmatch(rf"/{REPO}/resolve/{COMMIT}/(.+)", self.path)
        assert match is not None, self.path
        name = match[1]
        body = (self.server.folder / name).read_bytes()
        if with_body:
            self.server.requested.append(name)
        sent = body[: len(body) // 2] if name == self.server.cut else body
        self._answer(body, sent if with_body else b"")

    def _answer(self, body: bytes, sent: bytes | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        self.wfile.write(body if sent is None else sent)

    def _missing(self, code: str) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has in the standard library
        """Nothing: requests are kept in `requested`."""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[FakeHub]:
    folder = write_checkpoint(tmp_path / "repository", shards=2)
    (folder / "pytorch_model.bin").write_bytes(b"never fetched")
    with FakeHub(folder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, name="fake-hub")
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def pull_to(destination: Path, endpoint: str, repo_id: str = REPO, revision: str = "main") -> Manifest:
    return pull(
        repo_id,
        destination,
        revision=revision,
        cache=destination.parent.parent / "cache",
        endpoint=endpoint,
    )


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def test_a_pulled_model_is_compiled_and_says_which_commit_it_is(hub: FakeHub, out: Path) -> None:
    manifest = pull_to(out / "model", hub.endpoint)
    assert read_manifest(out / "model") == manifest
    verify_files(out / "model", manifest)
    assert (manifest.name, manifest.source, manifest.revision) == ("Qwen3-tiny", REPO, COMMIT)
    assert (manifest.prompt_style, manifest.quantization) == ("zero_shot", DEFAULT_QUANTIZATION)
    assert [path.name for path in out.iterdir()] == ["model"]


def test_only_what_compiling_needs_is_fetched_and_only_once(hub: FakeHub, out: Path) -> None:
    pull_to(out / "model", hub.endpoint)
    fetched = sorted(hub.requested)
    assert fetched == sorted(path.name for path in hub.folder.iterdir() if path.suffix != ".bin")
    pull_to(out / "again", hub.endpoint)
    assert sorted(hub.requested) == fetched


def test_an_earlier_download_serves_when_the_hub_is_gone(hub: FakeHub, out: Path) -> None:
    first = pull_to(out / "model", hub.endpoint)
    again = pull_to(out / "again", "http://127.0.0.1:9")
    assert (again.files, again.revision) == (first.files, COMMIT)


@pytest.mark.parametrize(
    ("repo_id", "revision", "message"),
    [
        ("somebody/nothing", "main", "somebody/nothing at revision 'main' was not found on the hub: check the name"),
        (REPO, "v9", "at revision 'v9' was not found on the hub: check the branch"),
        ("not a name", "main", "could not be downloaded"),
    ],
)
def test_what_the_hub_does_not_have_is_one_clear_line(
    hub: FakeHub, out: Path, repo_id: str, revision: str, message: str
) -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        pull_to(out / "model", hub.endpoint, repo_id, revision)
    assert "\n" not in str(caught.value)
    assert list(out.iterdir()) == []


def test_no_network_and_no_earlier_download_is_one_clear_line(out: Path) -> None:
    with pytest.raises(CheckpointError, match="the hub cannot be reached and there is no earlier download") as caught:
        pull_to(out / "model", "http://127.0.0.1:9")
    assert "\n" not in str(caught.value)
    assert list(out.iterdir()) == []


def test_a_download_that_breaks_off_leaves_nothing_and_can_be_run_again(hub: FakeHub, out: Path) -> None:
    hub.cut = "model-00002-of-00002.safetensors"
    with pytest.raises(CheckpointError, match="the download was interrupted") as caught:
        pull_to(out / "model", hub.endpoint)
    assert "\n" not in str(caught.value)
    assert list(out.iterdir()) == []
    hub.cut = ""
    assert pull_to(out / "model", hub.endpoint).revision == COMMIT


def test_a_repository_of_another_architecture_is_one_clear_line(hub: FakeHub, out: Path) -> None:
    config = json.loads((hub.folder / "config.json").read_text())
    (hub.folder / "config.json").write_text(json.dumps({**config, "model_type": "llama"}))
    with pytest.raises(CheckpointError, match="expected 'qwen3'"):
        pull_to(out / "model", hub.endpoint)
    assert list(out.iterdir()) == []


def test_nothing_is_fetched_when_the_destination_is_taken(hub: FakeHub, out: Path) -> None:
    (out / "model").mkdir()
    (out / "model" / "thesis.txt").write_text("years of work")
    with pytest.raises(CompiledModelError, match="is not a compiled model"):
        pull_to(out / "model", hub.endpoint)
    assert hub.requested == []


@pytest.mark.parametrize(
    ("model", "hub_id", "folder"),
    [
        ("qwen3-1.7b", "Qwen/Qwen3-1.7B", "qwen3-1.7b"),
        ("Qwen3-0.6B", "Qwen/Qwen3-0.6B", "qwen3-0.6b"),
        ("qwen3guard-0.6b", "Qwen/Qwen3Guard-Gen-0.6B", "qwen3guard-0.6b"),
        ("Qwen/Qwen3-4B", "Qwen/Qwen3-4B", "qwen3-4b"),
        ("somebody/our-qwen3", "somebody/our-qwen3", "our-qwen3"),
    ],
)
def test_the_model_that_is_named_is_the_one_that_is_fetched_into_a_folder_of_its_name(
    model: str, hub_id: str, folder: str
) -> None:
    assert (hub_id_of(model), default_folder(model)) == (hub_id, Path(folder))


@pytest.mark.parametrize("model", ["qwen3-2b", "qwen3", "/srv/models/qwen3-0.6b", "../x", "", "a/b/c"])
def test_what_is_not_a_model_is_refused_by_name(model: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a model: give a hub id") as caught:
        hub_id_of(model)
    assert repr(model) in str(caught.value)
