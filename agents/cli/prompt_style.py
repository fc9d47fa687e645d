"""The option ``--prompt-style``, and the names that it had before: ``--profile``, with ``tuned`` for ``embedded``."""

from typing import Annotated, Final, TypeAlias, get_args

import typer

from sluicegate.models.artifacts.manifest import PromptStyleName

_STYLES: Final[dict[str, PromptStyleName]] = {style: style for style in get_args(PromptStyleName)}
_ALIASES: Final[dict[str, PromptStyleName]] = {**_STYLES, "tuned": "embedded"}

PromptStyleOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--prompt-style",
        metavar="|".join(_STYLES),
        help="Prompt style of the model. Default: that of its adapter, else zero_shot.",
    ),
]
ProfileAlias: TypeAlias = Annotated[str | None, typer.Option("--profile", hidden=True)]


def prompt_style_of(given: str | None) -> PromptStyleName | None:
    """The prompt style that was given, if one was. Raises BadParameter for an unknown one."""
    if given is None:
        return None
    if given not in _ALIASES:
        raise typer.BadParameter(f"{given!r} is not one of {', '.join(_STYLES)}", param_hint="--prompt-style")
    return _ALIASES[given]
