"""``clamp-analytics validate``: every violation, and an exit code for CI."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli.run import command, fail_on, in_color, progress, put, screen_width, tell
from clamp_analytics.errors import SourceError, UsageError

if TYPE_CHECKING:
    import polars as pl

    from clamp_analytics.decode.batch import Batch
    from clamp_analytics.load import Counts


class ValidateFormat(StrEnum):
    """Formats of violations."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    MARKDOWN = "markdown"
    GITHUB = "github"
    JUNIT = "junit"
    SARIF = "sarif"


EXAMPLES = """\b
Examples:
  clamp-analytics validate build/telemetry
  clamp-analytics validate build/telemetry --format github --fail-on warning
  clamp-analytics validate build/telemetry --select seed-zero --select seed-reused
  clamp-analytics validate --rules
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("validate", epilog=EXAMPLES)(validate)


@command
def validate(
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="SOURCE...", help="As for summarize.", show_default=False),
    ] = None,
    output_format: Annotated[
        ValidateFormat, typer.Option("--format", "-f", help="How violations are shown.")
    ] = ValidateFormat.TABLE,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="PATH", help="Where they go. [default: standard output]")
    ] = None,
    fail_from: Annotated[
        options.FailOn, typer.Option("--fail-on", help="End with exit code 1 where there are violations this bad.")
    ] = options.FailOn.ERROR,
    select: Annotated[
        list[str] | None, typer.Option("--select", metavar="RULE", help="Only this rule; may be repeated.")
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", metavar="RULE", help="Not this rule; may be repeated.")
    ] = None,
    rules: Annotated[bool, typer.Option("--rules", help="List the rules with their sentence, and end.")] = False,
    limit: options.Limit = 50,
    no_recursive: options.NoRecursive = False,
    jobs: options.Jobs = None,
) -> None:
    """Every violation of the reproducibility criteria, with its place in the file.

    Ends with exit code 1 where there is an error, or what --fail-on says.
    """
    if rules:
        put(_rule_list(output_format), output)
        return
    if not sources:
        raise UsageError("no source was given", hint="name a session file, a folder or a glob, or give --rules")
    from clamp_analytics.load import Reader

    wanted = _wanted(select or [], ignore or [])
    with progress() as report:
        reader = Reader(sources, columns=(), recursive=not no_recursive, jobs=jobs, progress=report)
        found = _collect(reader.fold(_violations), wanted)
    counts = reader.counts
    if counts.loaded + counts.rejected == 0:
        raise SourceError("no session file was found", where=reader.directory, hint="session files end in .json")
    put(_rendered(found, output_format, counts, limit), output)
    severities = Counter(found["severity"].to_list())
    tell(_closing(severities, counts))
    fail_on(fail_from, severities)


def _violations(batch: Batch) -> pl.DataFrame:
    return batch.violations


def _wanted(select: Sequence[str], ignore: Sequence[str]) -> set[str]:
    from clamp_analytics.rules import BY_ID

    for name in (*select, *ignore):
        if name not in BY_ID:
            near = difflib.get_close_matches(name, BY_ID, 1)
            hint = f"did you mean {near[0]}?" if near else "`clamp-analytics validate --rules` lists them"
            raise UsageError(f"there is no rule {name!r}", where="--select/--ignore", hint=hint)
    return {rule for rule in (select or BY_ID) if rule not in ignore}


def _collect(parts: Iterable[pl.DataFrame], wanted: set[str]) -> pl.DataFrame:
    import polars as pl

    from clamp_analytics.schema import VIOLATIONS, empty_frame

    kept = [part.filter(pl.col("rule").is_in(sorted(wanted))) for part in parts]
    return pl.concat([empty_frame(VIOLATIONS), *kept]).sort("source", maintain_order=True)


def _rendered(found: pl.DataFrame, output_format: ValidateFormat, counts: Counts, limit: int) -> str:
    from clamp_analytics import render

    special: dict[ValidateFormat, Callable[[], str]] = {
        ValidateFormat.GITHUB: lambda: render.violations.github(found),
        ValidateFormat.JUNIT: lambda: render.violations.junit(found, counts),
        ValidateFormat.SARIF: lambda: render.violations.sarif(found),
    }
    if output_format in special:
        return special[output_format]()
    if output_format is ValidateFormat.TABLE:
        worst_first = _worst_first(found)
        return render.frame.table(worst_first, width=screen_width(), limit=limit or None, color=in_color())
    return render.frame.as_text(found, output_format.value)


def _worst_first(found: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    from clamp_analytics.rules import Severity

    ranks = {severity.value: rank for rank, severity in enumerate(Severity)}
    rank = pl.col("severity").replace_strict(ranks, return_dtype=pl.UInt8)
    columns = ("severity", "rule", "source", "record_index", "field", "value", "count", "byte_offset")
    return found.sort(rank, maintain_order=True).select(columns)


def _rule_list(output_format: ValidateFormat) -> str:
    import polars as pl

    from clamp_analytics import render
    from clamp_analytics.rules import RULES

    rows = [{"rule": rule.id, "severity": rule.severity.value, "sentence": rule.sentence} for rule in RULES]
    if output_format is ValidateFormat.TABLE:
        return render.frame.table(pl.DataFrame(rows), width=screen_width(), color=in_color())
    if output_format in {ValidateFormat.GITHUB, ValidateFormat.JUNIT, ValidateFormat.SARIF}:
        raise UsageError(f"the rules cannot be listed as {output_format}", hint="use table, json, csv or markdown")
    return render.frame.as_text(pl.DataFrame(rows), output_format.value)


def _closing(severities: Counter[str], counts: Counts) -> str:
    from clamp_analytics.rules import Severity

    return ", ".join(f"{severities[severity.value]:,} {severity.value}" for severity in Severity) + f"; files: {counts}"
