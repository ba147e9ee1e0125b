"""Options that the commands on archives share."""

from __future__ import annotations

from typing import Annotated

import typer

Archive = Annotated[
    str,
    typer.Option(
        "--archive",
        "-a",
        metavar="FILE|FOLDER/|URL",
        help="The archive; it is created if it does not exist: a DuckDB file, or Delta tables if the name ends with / "
        "or is a URL.",
    ),
]
Wait = Annotated[
    float,
    typer.Option("--wait", min=0, metavar="SECONDS", help="How long to wait until no other process uses the archive."),
]
