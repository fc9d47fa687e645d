"""The OpenTelemetry collector and Jaeger: `python -m tests.support.telemetry_tools` builds them into .cache/.

Both are built from their Go modules: the collector with only the components that deploy/collector.yaml uses, by its own
builder, and Jaeger as its project builds it, without the files of its web pages. Version 2 of Jaeger is published as a
Go module up to 2.13 only, as v1.76.0, so it is not the version of docker-compose.yml.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import yaml

from tests.support.required import give_up

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / ".cache" / "telemetry-tools"
COLLECTOR: Final = FOLDER / "otelcol"
JAEGER: Final = FOLDER / "jaeger"

_JAEGER_MODULE: Final = "github.com/jaegertracing/jaeger/cmd/jaeger@v1.76.0"
_BUILDER: Final = "go.opentelemetry.io/collector/cmd/builder"
_COMPONENTS: Final = {
    "receivers": ["go.opentelemetry.io/collector/receiver/otlpreceiver"],
    "processors": ["go.opentelemetry.io/collector/processor/memorylimiterprocessor"],
    "exporters": [
        "go.opentelemetry.io/collector/exporter/otlphttpexporter",
        "github.com/open-telemetry/opentelemetry-collector-contrib/exporter/prometheusexporter",
    ],
}


def require_telemetry_tools() -> None:
    """Skip the test where the programs are missing, or fail it if REQUIRE_TELEMETRY_TOOLS is 1, as in CI."""
    missing = [program.name for program in (COLLECTOR, JAEGER) if not program.exists()]
    if missing:
        reason = f"{' and '.join(missing)} not built: run `make telemetry-tools`, which needs Go and about ten minutes"
        give_up("REQUIRE_TELEMETRY_TOOLS", reason)


def collector_version() -> str:
    """The version of the collector in docker-compose.yml."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return str(services["collector"]["image"].rpartition(":")[2])


def build() -> None:
    """Build what is not there. Blocks: the first time, about ten minutes on two cores."""
    for program, make in ((COLLECTOR, _build_collector), (JAEGER, _build_jaeger)):
        if not program.exists():
            sys.stdout.write(f"building {program.name}\n")
            sys.stdout.flush()
            program.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory() as folder:
                made = make(Path(folder))
                shutil.copy(made, program.with_suffix(".new"))
                program.with_suffix(".new").rename(program)


def _build_collector(folder: Path) -> Path:
    version = collector_version()
    manifest = {
        "dist": {"name": "otelcol", "output_path": str(folder / "build"), "version": version},
        **{kind: [{"gomod": f"{module} v{version}"} for module in modules] for kind, modules in _COMPONENTS.items()},
    }
    (folder / "builder.yaml").write_text(yaml.safe_dump(manifest))
    _run(folder, "go", "run", f"{_BUILDER}@v{version}", "--config", "builder.yaml")
    return folder / "build" / "otelcol"


def _build_jaeger(folder: Path) -> Path:
    # Its go.mod replaces modules, so `go install` refuses it. As a tool of another module it is built without them.
    _run(folder, "go", "mod", "init", "tools")
    _run(folder, "go", "get", "-tool", _JAEGER_MODULE)
    _run(folder, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", "jaeger", _JAEGER_MODULE.partition("@")[0])
    return folder / "jaeger"


def _run(folder: Path, *command: str) -> None:
    """Run a command, which says hundreds of lines; they are shown if it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    build()
