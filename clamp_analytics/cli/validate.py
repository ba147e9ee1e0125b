"""``clamp-analytics validate``: every violation, and an exit code for CI."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli.run import command, fail_on, put, reading, screen, tell
from clamp_analytics.errors import SourceError, UsageError, did_you_mean

if TYPE_CHECKING:
    import polars as pl

    from clamp_analytics.batch import Batch
    from clamp_analytics.reading import Counts


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
        typer.Argument(metavar="SOURCE", help="As for summarize.", show_default=False),
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
    """List every violation, for people and CI.

    Each is a broken reproducibility criterion with its place in the file.

    Ends with exit code 1 where there is an error, or what --fail-on says.
    """
    if rules:
        put(_rule_list(output_format), output)
        return
    if not sources:
        raise UsageError("no source was given", hint="name a session file, a folder or a glob, or give --rules")
    with reading(sources, jobs, recursive=not no_recursive) as given:
        from clamp_analytics.reading import Reader

        wanted = _wanted(select or [], ignore or [])
        reader = Reader(**given, columns=())
        found, names = _collect(reader.fold(_judged), wanted)
    counts = reader.counts
    if counts.loaded + counts.rejected == 0:
        raise SourceError("no session file was found", where=reader.directory, hint="session files end in .json")
    if output_format is ValidateFormat.JUNIT:
        put(_junit(found, names, fail_from, counts), output)
    else:
        put(_rendered(found, output_format, limit), output)
    from clamp_analytics.rules import count_by_severity

    severities = count_by_severity(found)
    tell(_closing(severities, counts))
    fail_on(fail_from, severities)


def _judged(batch: Batch) -> tuple[pl.DataFrame, list[str]]:
    return batch.violations, batch.sessions["source"].to_list()


def _wanted(select: Sequence[str], ignore: Sequence[str]) -> set[str]:
    from clamp_analytics.rules import BY_ID

    for name in (*select, *ignore):
        if name not in BY_ID:
            hint = did_you_mean(name, BY_ID, "`clamp-analytics validate --rules` lists them")
            raise UsageError(f"there is no rule {name!r}", where="--select/--ignore", hint=hint)
    return {rule for rule in (select or BY_ID) if rule not in ignore}


def _collect(parts: Iterable[tuple[pl.DataFrame, list[str]]], wanted: set[str]) -> tuple[pl.DataFrame, list[str]]:
    """All violations that are wanted, by file and place in it, and the names of all files."""
    import polars as pl

    from clamp_analytics.decode.validate import in_order
    from clamp_analytics.schema import VIOLATIONS, empty_frame

    kept, names = [empty_frame(VIOLATIONS)], []
    for violations, sources in parts:
        kept.append(violations.filter(pl.col("rule").is_in(sorted(wanted))))
        names += sources
    return in_order(pl.concat(kept)), names


def _junit(found: pl.DataFrame, names: Sequence[str], fail_from: options.FailOn, counts: Counts) -> str:
    from clamp_analytics.render.ci.junit import report_violations
    from clamp_analytics.rules import Severity

    worst = None if fail_from is options.FailOn.NEVER else Severity(fail_from.value)
    return report_violations(found, names, fail_on=worst, counts=counts)


def _rendered(found: pl.DataFrame, output_format: ValidateFormat, limit: int) -> str | bytes:
    from clamp_analytics import render
    from clamp_analytics.render.ci import github, sarif
    from clamp_analytics.render.violations import worst_first

    if output_format is ValidateFormat.GITHUB:
        return github.annotate_violations(found)
    if output_format is ValidateFormat.SARIF:
        return sarif.log_violations(found)
    if output_format is ValidateFormat.TABLE:
        return screen(worst_first(found), limit)
    return render.FORMATS[render.Format(output_format.value)](found)


def _rule_list(output_format: ValidateFormat) -> str | bytes:
    import polars as pl

    from clamp_analytics import render
    from clamp_analytics.rules import RULES

    rows = [{"rule": rule.id, "severity": rule.severity.value, "sentence": rule.sentence} for rule in RULES]
    if output_format is ValidateFormat.TABLE:
        return screen(pl.DataFrame(rows))
    if output_format in {ValidateFormat.GITHUB, ValidateFormat.JUNIT, ValidateFormat.SARIF}:
        raise UsageError(f"the rules cannot be listed as {output_format}", hint="use table, json, csv or markdown")
    return render.FORMATS[render.Format(output_format.value)](pl.DataFrame(rows))


def _closing(severities: Counter[str], counts: Counts) -> str:
    from clamp_analytics.rules import Severity

    return ", ".join(f"{severities[severity.value]:,} {severity.value}" for severity in Severity) + f"; files: {counts}"
