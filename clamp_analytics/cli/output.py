"""Write the result of a command to standard output or to a file, and recognize earlier results of the same kind."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from clamp_analytics.cli.messages import tell
from clamp_analytics.cli.options import STDOUT
from clamp_analytics.errors import OutputError

if TYPE_CHECKING:
    import polars as pl

    from clamp_analytics.cli.reading import Inputs
    from clamp_analytics.outputs import OutputKind


def write_result(
    data: str | bytes | Iterable[bytes],
    output: str | None,
    kind: OutputKind,
    *,
    force: bool = False,
    inputs: Inputs | None = None,
    announce: bool = True,
) -> None:
    """Write a result.

    Args:
        data: the content.
        output: the file; None or ``-`` for standard output.
        kind: what is written; an existing file of this kind is replaced.
        force: whether to replace a file of any other kind.
        inputs: what the command has read.
        announce: whether to name the file on standard error.

    Raises:
        OutputError: it cannot be written, or an existing file may not be replaced.
        UsageError: the file is one of the inputs.
    """
    if output is None or output == STDOUT:
        print_data(data)
        return
    from clamp_analytics.outputs import write_output

    if inputs is not None:
        inputs.check_not_among(output)
    write_output(output, _chunks(data), kind, force=force)
    if announce:
        tell(f"wrote {output}")


def print_data(data: str | bytes | Iterable[bytes]) -> None:
    """Write data to standard output.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        sys.stdout.flush()
        sys.stdout.buffer.writelines(_chunks(data))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError.from_os_error("cannot be written", error, where="standard output") from error


def check_output(output: str | None, kind: OutputKind, *, force: bool, inputs: Inputs | None = None) -> None:
    """Check that a result may be written, before the work that leads to it.

    Raises:
        OutputError: an existing file may not be replaced.
        UsageError: the file is one of the inputs.
    """
    from clamp_analytics.outputs import check_replaceable

    if output is None or output == STDOUT:
        return
    if inputs is not None:
        inputs.check_not_among(output)
    check_replaceable(output, kind, force=force)


def _chunks(data: str | bytes | Iterable[bytes]) -> Iterable[bytes]:
    if isinstance(data, str):
        return [data.encode()]
    return [data] if isinstance(data, bytes) else data


def kind_of_beginning(name: str, beginning: str) -> OutputKind:
    """Files that begin with a text."""
    from clamp_analytics.outputs import OutputKind

    return OutputKind(name, lambda content: content.startswith(beginning.encode()))


def kind_of_text(name: str, *marks: str) -> OutputKind:
    """Files that contain each of the marks."""
    from clamp_analytics.outputs import OutputKind

    return OutputKind(name, lambda content: all(mark.encode() in content for mark in marks))


def kind_of_document(name: str, keys: Iterable[str]) -> OutputKind:
    """JSON objects with exactly these keys."""
    from clamp_analytics.outputs import OutputKind

    expected = set(keys)
    return OutputKind(name, lambda content: _json_keys(content) == expected)


def kind_of_annotations(name: str) -> OutputKind:
    """Workflow commands of GitHub."""
    from clamp_analytics.outputs import OutputKind

    levels = (b"::error ", b"::warning ", b"::notice ")
    return OutputKind(name, lambda content: all(line.startswith(levels) for line in content.splitlines()))


def kind_of_rows(name: str, rows: pl.DataFrame, output_format: str, written: str | bytes) -> OutputKind:
    """Files with the same columns as a frame, in the same format.

    Args:
        name: the kind with its article.
        rows: the frame.
        output_format: a value of ``render.Format``.
        written: the frame in this format.
    """
    from clamp_analytics.outputs import OutputKind

    columns = rows.columns
    if output_format == "json":
        return OutputKind(name, lambda content: _first_row_keys(content) in (columns, []))
    if output_format == "jsonl":
        return OutputKind(name, lambda content: _json_keys(content.partition(b"\n")[0]) == set(columns))
    if output_format == "parquet":
        return OutputKind(name, lambda content: _parquet_columns(content) == columns)
    heading = _heading(written)
    return OutputKind(name, lambda content: _heading(content) == heading)


def kind_of_table(name: str, columns: Iterable[str], *sentences: str) -> OutputKind:
    """Tables for a person with these columns, or any text that begins with one of the sentences.

    Args:
        name: the kind with its article.
        columns: the columns; a table on a narrow terminal has fewer, but a file has all of them.
        sentences: beginnings of the text that is written where the table would be empty.
    """
    from clamp_analytics.outputs import OutputKind

    heading = " ".join(columns).encode().split()
    beginnings = tuple(sentence.encode() for sentence in sentences)
    return OutputKind(
        name,
        lambda content: content.startswith(beginnings) or any(line.split() == heading for line in content.splitlines()),
    )


def _heading(text: str | bytes) -> list[bytes]:
    """The words of the first line, which names the columns in tables, CSV and Markdown."""
    first = (text.encode() if isinstance(text, str) else text).partition(b"\n")[0]
    return first.split()


def _json(content: bytes) -> Any:
    """The parsed content; None where it is not JSON."""
    try:
        return json.loads(content)
    except ValueError:
        return None


def _json_keys(content: bytes) -> set[str] | None:
    document = _json(content)
    return set(document) if isinstance(document, dict) else None


def _first_row_keys(content: bytes) -> list[str] | None:
    """The keys of the first object of an array that has one row per line; none for an empty array."""
    if content == b"[]\n":
        return []
    opening, *lines = content.split(b"\n", 2)
    row = _json(lines[0].rstrip(b",")) if opening == b"[" and lines else None
    return list(row) if isinstance(row, dict) else None


def _parquet_columns(content: bytes) -> list[str] | None:
    import io

    import polars as pl

    try:
        return list(pl.read_parquet_schema(io.BytesIO(content)))
    except pl.exceptions.PolarsError:
        return None


def document(counts: Mapping[str, object], tables: Mapping[str, pl.DataFrame]) -> str:
    """Write a JSON object of figures and tables; a table has one row per line."""
    import msgspec

    from clamp_analytics import render

    members = [f'"{name}": {msgspec.json.encode(value).decode()}' for name, value in counts.items()]
    members += [f'"{name}": {render.as_json(frame).rstrip()}' for name, frame in tables.items()]
    return "{" + ",\n".join(members) + "}\n"
