"""The reference of the SQL library, from the headers of its files."""

from __future__ import annotations

from collections.abc import Iterator

from clamp_analytics.database import library
from clamp_analytics.database.library import NamedQuery


def library_reference() -> str:
    """One section per view or query: the question that it answers, its parameters, its columns and its notes."""
    entries = library().values()
    return "\n".join(
        line
        for kind, title in (("view", "Views"), ("query", "Queries"))
        for line in (f"## {title}", "", *(part for query in entries if query.kind == kind for part in section(query)))
    )


def section(query: NamedQuery) -> Iterator[str]:
    """The section of one view or query."""
    yield from (f"### {query.name}", "", query.sentence, "")
    if query.params:
        yield from ("| parameter | type | default | meaning |", "|---|---|---|---|")
        yield from (
            f"| `{param.name}` | {param.type} | `{param.default}` | {param.sentence} |"
            for param in query.params.values()
        )
        yield ""
    yield from ("| column | meaning |", "|---|---|")
    yield from (f"| `{column}` | {meaning} |" for column, meaning in query.columns.items())
    yield ""
    if query.notes:
        yield from (query.notes, "")
