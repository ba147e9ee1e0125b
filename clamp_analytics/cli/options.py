"""Options that several commands share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypedDict

import typer

from clamp_analytics.sources import DEFAULT_LIMITS, ContainerLimits

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE",
        help="Session files, folders (searched below, too), globs, zips and tars of sessions (or artifact.zip!/x.json "
        "for one of them), .json.gz, .json.zst, - for one session on standard input, "
        "exports or archives of this tool.",
        show_default=False,
    ),
]
NoRecursive = Annotated[bool, typer.Option("--no-recursive", help="Do not search folders below a folder.")]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", "-j", min=1, help="Workers that read at once. [default: the usable cores]", metavar="N"),
]
Snapshot = Annotated[
    Path | None,
    typer.Option(
        "--snapshot",
        help="Provenance snapshot for build_info. [default: rocm_snapshot.json beside the folder, where there is one]",
        metavar="PATH",
        show_default=False,
    ),
]
ReleasedOnly = Annotated[bool, typer.Option("--released-only", help="Leave out anchors without a usable release.")]
Limit = Annotated[int, typer.Option("--limit", min=0, help="Rows that a table shows; 0 for all.", metavar="N")]

MaxMemberBytes = Annotated[
    int, typer.Option(min=1, metavar="N", help="Largest member of a zip or tar that is read, in bytes.")
]
MaxTotalBytes = Annotated[int, typer.Option(min=1, metavar="N", help="Most that a zip or tar may unpack to, in bytes.")]
MaxRatio = Annotated[
    int,
    typer.Option(
        min=1,
        metavar="N",
        help=f"How many times its own size a zip or tar may unpack to, beyond "
        f"{DEFAULT_LIMITS.ratio_from_bytes // 1_000_000} MB.",
    ),
]
MaxMembers = Annotated[int, typer.Option(min=1, metavar="N", help="Most entries that a zip or tar may have.")]
Salvage = Annotated[
    bool,
    typer.Option("--salvage", help="Keep the whole members of a zip or tar that is cut or damaged, instead of none."),
]


class FailOn(StrEnum):
    """From which severity on a command fails."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    NEVER = "never"


class Format(StrEnum):
    """Formats of a table of figures."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


class ContainerSettings(TypedDict):
    """What a command hands to its reader about containers."""

    limits: ContainerLimits
    salvage: bool


_LIMITS: dict[str, Any] = {
    "max_member_bytes": MaxMemberBytes,
    "max_total_bytes": MaxTotalBytes,
    "max_ratio": MaxRatio,
    "max_members": MaxMembers,
}
_settings: ContextVar[ContainerSettings] = ContextVar("_settings")


def container_settings() -> ContainerSettings:
    """What the command that runs was told about containers; the defaults where it was told nothing."""
    return _settings.get({"limits": DEFAULT_LIMITS, "salvage": False})


def with_container_options(function: Callable[..., None]) -> Callable[..., None]:
    """A command that has the options on containers beside its own; one that has them already stays as it is.

    They are the same wherever sources are read, so a command neither names them nor passes them on:
    ``container_settings`` gives them to whatever reads on its behalf.
    """
    own = inspect.signature(function, eval_str=True)
    if _LIMITS.keys() <= own.parameters.keys():
        return function
    defaults = {name: getattr(DEFAULT_LIMITS, name) for name in _LIMITS} | {"salvage": False}
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults[name], annotation=annotation)
        for name, annotation in {**_LIMITS, "salvage": Salvage}.items()
    ]

    @functools.wraps(function)
    def told(*args: Any, **kwargs: Any) -> None:
        given = {name: kwargs.pop(name, default) for name, default in defaults.items()}
        salvage = given.pop("salvage")
        token = _settings.set({"limits": ContainerLimits(**given), "salvage": salvage})
        try:
            function(*args, **kwargs)
        finally:
            _settings.reset(token)

    signature = own.replace(parameters=[*own.parameters.values(), *added])
    told.__signature__ = signature  # type: ignore[attr-defined]  # what typer makes options of
    told.__annotations__ = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    return told
