"""Verdicts written out: one format each, and for GitHub the summary of the job, too."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clamp_analytics.cli.run import put, screen, terminal_width
from clamp_analytics.cli.verdicts import FailOnVerdict, VerdictFormat, bad_verdicts
from clamp_analytics.errors import OutputError

if TYPE_CHECKING:
    import polars as pl

    from clamp_analytics.render.verdicts import VerdictColumns

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
"""The variable in which GitHub names the file of a job's summary."""

TRENDS = (30, 24, 16, 12, 8)
"""Characters of a sparkline; the widest that leaves the table unfolded is taken."""

SPARE = ("p", "trend", "interval", "since")
"""Columns that a narrow terminal goes without, the first one first; JSON and CSV have them."""

_TO_ASCII = str.maketrans({"─": "-", "…": "...", "→": "->"})


def show(
    verdicts: pl.DataFrame,
    by: Sequence[str],
    layout: VerdictColumns,
    output_format: VerdictFormat,
    output: str | None,
    *,
    limit: int,
    fail_from: FailOnVerdict,
    told: str,
    counts: Mapping[str, object],
    series: pl.DataFrame | None = None,
    tables: Mapping[str, pl.DataFrame] | None = None,
    lists: Mapping[str, Sequence[str | None]] | None = None,
) -> None:
    """Write verdicts in a format, and for GitHub the job's summary, too.

    Args:
        verdicts: one row a group and metric.
        by: the columns that name a group.
        layout: whose verdicts they are.
        output_format: how they are written.
        output: where to; None for standard output.
        limit: the most rows of a table on the screen; 0 for all.
        fail_from: the verdicts that fail a test case.
        told: what was looked at, in our own words.
        counts: the same as figures, for JSON and JUnit.
        series: the values behind the verdicts, for sparklines.
        tables: other tables of the JSON document, by key.
        lists: names for the Markdown, by what to say of them.

    Raises:
        OutputError: something could not be written.
    """
    from clamp_analytics import render
    from clamp_analytics.render import pull_request
    from clamp_analytics.render import verdicts as rendered
    from clamp_analytics.render.ci import github, junit

    if output_format is VerdictFormat.TABLE:
        put(_table(verdicts, by, layout, series, limit, to_screen=output is None), output)
    elif output_format is VerdictFormat.JSON:
        put(document(counts, {"verdicts": rendered.changes_first(verdicts), **(tables or {})}), output)
    elif output_format is VerdictFormat.CSV:
        put(render.as_csv(rendered.changes_first(verdicts)), output)
    elif output_format is VerdictFormat.MARKDOWN:
        put(pull_request.markdown(verdicts, by, layout, summary=told, lists=lists), output)
    elif output_format is VerdictFormat.GITHUB:
        put(github.annotate_verdicts(verdicts, by, layout), output)
        if path := os.environ.get(STEP_SUMMARY):
            _append(path, pull_request.markdown(verdicts, by, layout, summary=told, lists=lists))
    else:
        failing = bad_verdicts(fail_from) or bad_verdicts(FailOnVerdict.REGRESSION)
        put(junit.report_verdicts(verdicts, by, layout, failing=failing, properties=counts), output)


def _table(
    verdicts: pl.DataFrame,
    by: Sequence[str],
    layout: VerdictColumns,
    series: pl.DataFrame | None,
    limit: int,
    *,
    to_screen: bool,
) -> str:
    from clamp_analytics.render import table
    from clamp_analytics.render.sparkline import ASCII, BLOCKS
    from clamp_analytics.render.verdicts import screen_frame

    blocks = not to_screen or _can_show(BLOCKS + "→─…")
    width = terminal_width() if to_screen else None
    marks, arrow = (BLOCKS, "→") if blocks else (ASCII, "->")
    frames = (
        screen_frame(verdicts, by, layout, series=series, width=trend, marks=marks, arrow=arrow, limit=limit or None)
        for trend in (TRENDS if series is not None else TRENDS[-1:])
    )
    frame = _fitting(frames, width, limit)
    shown = screen(frame, limit) if to_screen else table(frame, limit=limit or None)
    return shown if blocks else shown.translate(_TO_ASCII)


def _fitting(frames: Iterable[pl.DataFrame], width: int | None, limit: int) -> pl.DataFrame:
    """The fullest of tables that needs no fold; where there is none, the last one with everything.

    Args:
        frames: the same table with ever narrower sparklines.
        width: the columns of the terminal; None where there is no limit.
        limit: the most rows that are shown; 0 for all.
    """
    from rich.cells import cell_len

    from clamp_analytics.render import table

    def fits(frame: pl.DataFrame) -> bool:
        lines = table(frame, limit=limit or None).splitlines()
        return width is None or max(map(cell_len, lines)) <= width

    frame = None
    for frame in frames:  # the last one is needed
        if fits(frame):
            return frame
    assert frame is not None
    spare = [name for name in SPARE if name in frame.columns]
    fewer = (frame.drop(spare[: count + 1]) for count in range(len(spare)))
    return next(filter(fits, fewer), frame)


def _can_show(text: str) -> bool:
    """Whether the encoding of standard output has these characters."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def document(counts: Mapping[str, object], tables: Mapping[str, pl.DataFrame]) -> str:
    """A JSON object of figures and tables; a table has a row a line."""
    import msgspec

    from clamp_analytics import render

    members = [f'"{name}": {msgspec.json.encode(value).decode()}' for name, value in counts.items()]
    members += [f'"{name}": {render.as_json(frame).rstrip()}' for name, frame in tables.items()]
    return "{" + ",\n".join(members) + "}\n"


def _append(path: str, text: str) -> None:
    """Add to a file that others add to as well: one write at its end.

    Raises:
        OutputError: the system refuses.
    """
    from clamp_analytics.atomic_files import display_name

    try:
        with Path(path).open("ab", buffering=0) as file:
            file.write(text.encode() + b"\n")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"cannot be written: {reason}", where=f"{STEP_SUMMARY} {display_name(path)}") from error
