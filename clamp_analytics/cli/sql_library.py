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


def with_meanings(library: pl.DataFrame) -> pl.DataFrame:
    """The list with the sentence and the parameters in one column, which leaves room for them on a terminal."""
    import polars as pl

    parameters = pl.format("Parameters: {}.", "parameters")
    meaning = pl.concat_str("sentence", parameters, separator=" ", ignore_nulls=True)
    return library.select("name", "kind", meaning=meaning)
