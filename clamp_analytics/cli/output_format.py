"""Choose the format of an output: the one that is given, else that of the file name, else a table."""

from __future__ import annotations

from enum import StrEnum
from pathlib import PurePath
from typing import TypeVar

from clamp_analytics.cli.options import STDOUT
from clamp_analytics.errors import UsageError

ENDINGS = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".markdown": "markdown",
    ".md": "markdown",
    ".parquet": "parquet",
    ".sarif": "sarif",
    ".txt": "table",
    ".xml": "junit",
}
"""The format of each file name ending."""

Choice = TypeVar("Choice", bound=StrEnum)


def choose_format(formats: type[Choice], given: Choice | None, output: str | None) -> Choice:
    """The format of an output.

    Args:
        formats: the formats that the command has; one of them is ``table``.
        given: the format from the command line; None where it was not given.
        output: the file; None or ``-`` for standard output.

    Raises:
        UsageError: the name has the ending of a format that the command does not have.
    """
    if given is not None:
        return given
    if output is None or output == STDOUT:
        return formats("table")
    path = PurePath(output.lower())
    name = "sarif" if path.suffixes[-2:] == [".sarif", ".json"] else ENDINGS.get(path.suffix, "table")
    if name in set(formats):
        return formats(name)
    raise UsageError(
        f"the format {name} is not one of this command",
        where=f"--output {output}",
        hint=f"it has {', '.join(formats)}; choose one with --format",
    )
