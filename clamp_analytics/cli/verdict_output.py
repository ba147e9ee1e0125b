"""Write verdicts in each format; for GitHub also to the summary of the job."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from clamp_analytics.cli.analysis_options import FailOnVerdict, VerdictFormat
from clamp_analytics.cli.options import OutputOptions
from clamp_analytics.cli.output import (
    document,
    kind_of_annotations,
    kind_of_beginning,
    kind_of_document,
    kind_of_rows,
    kind_of_table,
    kind_of_text,
    write_result,
)
from clamp_analytics.cli.terminal import as_table, can_show, terminal_width, wants_color
from clamp_analytics.errors import OutputError

if TYPE_CHECKING:
    import polars as pl

    from clamp_analytics.analysis.verdicts import Verdict
    from clamp_analytics.cli.reading import Inputs
    from clamp_analytics.outputs import OutputKind
    from clamp_analytics.render.incidents import IncidentTexts
    from clamp_analytics.render.verdicts import VerdictColumns

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
"""The environment variable in which GitHub names the file of a job's summary."""

TREND_WIDTHS = (30, 24, 16, 12, 8)
"""Characters of a sparkline; the widest with which no line of the table wraps is used."""

KEPT = ("verdict", "metric", "since")
"""Columns that a table never leaves out."""

KIND = "a file of verdicts"

NOTHING_CHANGED = "No series changed"
"""The sentence where the table of changes would be empty."""

NOTHING_JUDGED = "No series has enough data to be judged"
"""The same where no series could have shown a change."""

_TO_ASCII = str.maketrans({"─": "-", "…": "...", "→": "->"})


@dataclass(frozen=True)
class VerdictReport:
    """The verdicts of one run, and what the formats need besides.

    Attributes:
        verdicts: one row per group and metric.
        by: the columns that name a group.
        columns: which analysis the verdicts are of.
        summary: one sentence on what was judged, for Markdown.
        counts: the same as figures, for JSON and JUnit.
        failing: the verdicts that fail the command, and a test case of JUnit.
        incidents: the incidents as text, which come before the verdicts.
        series: the values behind the verdicts, for sparklines.
        tables: other tables of the JSON document, by key.
        lists: names of groups by their title, for Markdown.
        documents: other values of the JSON document, by key; they come first.
        failing_series: group and metric of the series that fail a test case of JUnit; by their verdicts where None.
        show_all: whether the table also has the series that did not change.
    """

    verdicts: pl.DataFrame
    by: Sequence[str]
    columns: VerdictColumns
    summary: str
    counts: Mapping[str, object]
    failing: Sequence[Verdict]
    incidents: IncidentTexts
    series: pl.DataFrame | None = None
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    lists: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    documents: Mapping[str, object] = field(default_factory=dict)
    failing_series: Collection[tuple[tuple[str | None, ...], str]] | None = None
    show_all: bool = True

    def write(self, output_format: VerdictFormat, options: OutputOptions, inputs: Inputs, *, limit: int) -> None:
        """Write the verdicts.

        Args:
            output_format: the format.
            options: where they go.
            inputs: what the command has read.
            limit: the most rows of a table on the screen; 0 for all.

        Raises:
            OutputError: something could not be written.
        """
        text, kind = self._text_and_kind(output_format, limit, to_screen=options.output is None)
        write_result(text, options.output, kind, force=options.force, inputs=inputs)
        path = os.environ.get(STEP_SUMMARY)
        if output_format is VerdictFormat.GITHUB and path:
            _append(path, self._markdown())

    def _text_and_kind(self, output_format: VerdictFormat, limit: int, *, to_screen: bool) -> tuple[str, OutputKind]:
        from clamp_analytics import render
        from clamp_analytics.render.ci import github, junit
        from clamp_analytics.render.text import TOOL
        from clamp_analytics.render.verdicts import changes_first

        if output_format is VerdictFormat.JSON:
            tables = {"verdicts": changes_first(self.verdicts), **self.tables}
            values = {**self.documents, **self.counts}
            return document(values, tables), kind_of_document(KIND, [*values, *tables])
        if output_format is VerdictFormat.MARKDOWN:
            return self._markdown(), kind_of_beginning(KIND, f"### {self.columns.title}: ")
        if output_format is VerdictFormat.GITHUB:
            return github.annotate_incidents(self.incidents.annotations), kind_of_annotations(KIND)
        if output_format is VerdictFormat.JUNIT:
            failing = self.failing or FailOnVerdict.REGRESSION.verdicts()
            text = junit.report_verdicts(
                self.verdicts,
                self.by,
                self.columns,
                failing=failing,
                failing_series=self.failing_series,
                properties=self.counts,
            )
            return text, kind_of_text(KIND, f'<testsuite name="{TOOL} {self.columns.name}"')
        if output_format is VerdictFormat.CSV:
            rows = changes_first(self.verdicts)
            text = render.as_csv(rows)
        else:
            text, heading = self._table(limit, to_screen=to_screen)
            return text, kind_of_table(KIND, heading, NOTHING_CHANGED, NOTHING_JUDGED)
        return text, kind_of_rows(KIND, rows, output_format.value, text)

    def _markdown(self) -> str:
        from clamp_analytics.render.pull_request import markdown

        return markdown(
            self.verdicts,
            self.by,
            self.columns,
            summary=self.summary,
            lists=self.lists,
            incidents=self.incidents.markdown,
            headline=self.incidents.headline,
            outliers=self.incidents.outliers_in_markdown,
        )

    def _table(self, limit: int, *, to_screen: bool) -> tuple[str, list[str]]:
        """The incidents, the table, how many series it leaves out, and the outliers; and the columns of the table."""
        from clamp_analytics.render import table
        from clamp_analytics.render.sparkline import ASCII, BLOCKS
        from clamp_analytics.render.verdicts import is_undecided, screen_frame, with_changes

        shown = self.verdicts if self.show_all else with_changes(self.verdicts)
        unicode = not to_screen or can_show(BLOCKS + "→─…")
        frames = (
            screen_frame(
                shown,
                self.by,
                self.columns,
                series=self.series,
                changes=self.tables.get("changes"),
                width=width,
                marks=BLOCKS if unicode else ASCII,
                arrow="→" if unicode else "->",
                limit=limit or None,
            )
            for width in (TREND_WIDTHS if self.series is not None else TREND_WIDTHS[-1:])
        )
        width = terminal_width() if to_screen else None
        frame = _widest_that_fits(frames, width, limit, has_blocks=bool(self.incidents.terminal))
        text = as_table(frame, limit, optional={}, kept=KEPT) if to_screen else table(frame, limit=limit or None)
        if shown.is_empty():
            text = f"{NOTHING_JUDGED if is_undecided(self.verdicts) else NOTHING_CHANGED}.\n"
        if rest := self._rest(shown):
            text += f"{rest}\n"
        text += "".join(f"{line}\n" for line in self.incidents.outliers)
        if blocks := self.incidents.colored if to_screen and wants_color() else self.incidents.terminal:
            text = f"{blocks}\n{text}"
        return (text if unicode else text.translate(_TO_ASCII)), frame.columns

    def _rest(self, shown: pl.DataFrame) -> str:
        """How many series the table leaves out; empty if there is none."""
        from clamp_analytics.render.verdicts import count_verdicts, list_counts

        counts = count_verdicts(self.verdicts)
        counts.subtract(count_verdicts(shown))
        first, _, others = list_counts(counts).partition(" ")
        return f"{first} series {others} (--all)" if counts.total() else ""


def _widest_that_fits(
    frames: Iterable[pl.DataFrame], width: int | None, limit: int, *, has_blocks: bool
) -> pl.DataFrame:
    """Choose the first frame whose table has no line that wraps, without less important columns if need be.

    Args:
        frames: the same table with ever narrower sparklines.
        width: the width of the terminal; None for no limit.
        limit: the most rows that are shown; 0 for all.
        has_blocks: whether blocks of incidents above the table give the levels, which makes its trends more important.
    """
    from rich.cells import cell_len

    from clamp_analytics.render import table

    def fits(frame: pl.DataFrame) -> bool:
        lines = table(frame, limit=limit or None).splitlines()
        return width is None or max(map(cell_len, lines)) <= width

    widest_first = list(frames)
    levels = [name for name in widest_first[0].columns if "→" in name or "->" in name]
    dispensable = ["p", *levels, "trend"] if has_blocks else ["p", "trend", "interval", *levels]
    for count in range(len(dispensable) + 1):
        for frame in widest_first:
            shorter = frame.drop(dispensable[:count], strict=False)
            if fits(shorter):
                return shorter
    return widest_first[-1].drop(dispensable, strict=False)


def _append(path: str, text: str) -> None:
    """Append to a file that other steps append to as well, in one write.

    Raises:
        OutputError: the system refuses.
    """
    from clamp_analytics.path_names import display_name

    try:
        with Path(path).open("ab", buffering=0) as file:
            file.write(text.encode() + b"\n")
    except OSError as error:
        where = f"{STEP_SUMMARY} {display_name(path)}"
        raise OutputError.from_os_error("cannot be written", error, where=where) from error
