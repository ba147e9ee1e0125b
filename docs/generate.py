"""Writes the generated parts of the README and the docs again: ``make docs``.

A part stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``. A test checks that all are up to date.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from clamp_analytics import schema
from clamp_analytics.rules import RULES, Severity

ROOT = Path(__file__).resolve().parent.parent
PART = re.compile(r"(<!-- generated: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
SCREEN = (
    "summarize data/samples/drifting --by context",
    "drift data/samples/drifting --metric mean_stability --metric duration_p50_ms",
    "validate data/samples/faulty --limit 6",
)


def run(arguments: str) -> str:
    """What a command prints on standard output."""
    command = [sys.executable, "-m", "clamp_analytics", *arguments.split()]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout


def screen() -> str:
    """One screen of real output."""
    blocks = [f"$ clamp-analytics {arguments}\n{run(arguments)}" for arguments in SCREEN]
    return "```text\n" + "\n".join(blocks) + "```\n"


def commands() -> str:
    """The commands with what each is for."""
    import typer

    from clamp_analytics.cli import make_app

    rows = ["| command | what it does |", "|---|---|"]
    for name, command in typer.main.get_command(make_app()).commands.items():  # type: ignore[attr-defined]
        rows.append(f"| `clamp-analytics {name}` | {command.help.splitlines()[0]} |")
    return "\n".join(rows) + "\n"


def rules() -> str:
    """The rules by severity."""
    lines = []
    for severity in Severity:
        lines += [
            f"## {severity.value}",
            "",
            "| rule | what is wrong where it is broken | one row a |",
            "|---|---|---|",
        ]
        lines += [
            f"| `{rule.id}` | {rule.sentence} | {rule.scope.value} |" for rule in RULES if rule.severity is severity
        ]
        lines.append("")
    return "\n".join(lines)


GENERATED: dict[str, Callable[[], str]] = {
    "screen": screen,
    "commands": commands,
    "tables": schema.markdown,
    "rules": rules,
}
PAGES = ("README.md", "docs/rules.md")


def page(path: str) -> tuple[str, str]:
    """A page as it stands, and as it should be."""
    text = (ROOT / path).read_text("utf-8")
    return text, PART.sub(lambda part: part[1] + GENERATED[part[2]]() + part[4], text)


def main() -> None:
    """Write every page again."""
    for path in PAGES:
        (ROOT / path).write_text(page(path)[1], "utf-8")


if __name__ == "__main__":
    main()
