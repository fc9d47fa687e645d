"""`/v1/models`, and which names of models a request may give."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from sluicegate.agents.http.route import Call, JsonRoute
from sluicegate.agents.http.service import HttpService
from sluicegate.models.artifacts.manifest import Manifest
from sluicegate.schemas.errors import RequestRefused


class ServedModel(Struct, frozen=True, kw_only=True):
    """A model that requests can name."""

    id: Annotated[str, Meta(description="The model's name.")]
    object: Literal["model"] = "model"
    created: Annotated[int, Meta(description="When it was compiled, in Unix seconds.")]
    owned_by: Literal["sluicegate"] = "sluicegate"
    model_version: Annotated[str, Meta(description="The name, and a hash of everything that decides. A name too.")]


class ServedModels(Struct, frozen=True, kw_only=True):
    """All models that requests can name."""

    object: Literal["list"] = "list"
    data: list[ServedModel]


def require_served(service: HttpService, name: str | None, aliases: Sequence[str] = ()) -> None:
    """Refuse a request for another model than the one in use; None and `aliases` stand for it."""
    manifest = _manifest(service)
    if name is not None and name not in (manifest.name, manifest.model_version, *aliases):
        raise _not_found(name, manifest)


async def _list(service: HttpService, _: Call[None]) -> ServedModels:
    return ServedModels(data=[_served(_manifest(service))])


async def _retrieve(service: HttpService, call: Call[None]) -> ServedModel:
    require_served(service, call.path["model"])
    return _served(_manifest(service))


def _manifest(service: HttpService) -> Manifest:
    return service.models.in_use.engine.manifest


def _served(manifest: Manifest) -> ServedModel:
    created = int(manifest.created_at.timestamp())
    return ServedModel(id=manifest.name, created=created, model_version=manifest.model_version)


def _not_found(name: str, manifest: Manifest) -> RequestRefused:
    return RequestRefused(
        "model_not_found", f"the model {name[:80]!r} is not served here: use {manifest.name!r}", field="$.model"
    )


ROUTES: Final[Sequence[JsonRoute[Any]]] = (
    JsonRoute("/v1/models", "list_models", "List the model in use.", None, ServedModels, _list),
    JsonRoute("/v1/models/{model}", "retrieve_model", "Look up the model in use.", None, ServedModel, _retrieve),
)
