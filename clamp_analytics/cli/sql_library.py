"""The list of the SQL library, for ``sql --list`` and the prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


def library_frame() -> pl.DataFrame:
    """The views and queries of the library, with the meaning of each parameter."""
    import polars as pl

    from clamp_analytics.database import library

    rows = [
        {
            "name": query.name,
            "kind": query.kind,
            "sentence": query.sentence,
            "parameters": "; ".join(
                f"{param.name}={param.default} ({param.sentence.rstrip('.')})" for param in query.params.values()
            )
            or None,
        }
        for query in library().values()
    ]
    return pl.DataFrame(rows, schema_overrides={"parameters": pl.String})
