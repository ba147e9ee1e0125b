"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE",
        help="Session files, folders (searched below, too), globs, - for one session on standard input, "
        "or exports of this tool.",
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
