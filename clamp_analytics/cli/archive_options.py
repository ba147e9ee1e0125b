"""Options and values that the commands on archives share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from clamp_analytics.archive.layout import View

Archive = Annotated[
    str, typer.Option("--archive", "-a", metavar="FILE", help="The archive; it is created if it does not exist.")
]
Wait = Annotated[
    float,
    typer.Option("--wait", min=0, metavar="SECONDS", help="How long to wait until no other process uses the archive."),
]


def views() -> list[View]:
    """The views of the SQL library, which an archive contains."""
    from clamp_analytics.archive.layout import View
    from clamp_analytics.database.library import library

    return [
        View(query.name, query.sentence, query.columns, query.sql)
        for query in library().values()
        if query.kind == "view"
    ]
