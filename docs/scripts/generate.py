"""Write the generated parts of the pages and the output of their examples: ``make docs``.

A generated part is between ``<!-- generated: NAME -->`` and ``<!-- end -->``. Tests check that every part and every
output is up to date.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import action_reference
import command_reference
import examples
import option_reference
import sql_reference

from clamp_analytics import schema
from clamp_analytics.rule_explanations import EXPLANATIONS
from clamp_analytics.rules import RULES, Severity

ROOT = examples.ROOT
PART = re.compile(r"(<!-- generated: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def rules() -> str:
    """The rules by severity, then each with its explanation."""
    lines: list[str] = []
    for severity in Severity:
        chosen = [rule for rule in RULES if rule.severity is severity]
        lines += [f"## {severity.value}", "", "| rule | a violation means | reported once per |", "|---|---|---|"]
        lines += [f"| [`{rule.id}`](#{rule.id}) | {rule.sentence} | {rule.scope.value} |" for rule in chosen]
        lines.append("")
        for rule in chosen:
            explanation = EXPLANATIONS[rule.id]
            lines += [f"({rule.id})=", f"### {rule.id}", "", f"{rule.sentence} {explanation.why}", ""]
            lines += [f"*How to fix:* {explanation.fix}", ""]
    return "\n".join(lines)


GENERATED: dict[str, Callable[[], str]] = {
    "action_inputs": action_reference.inputs,
    "commands": command_reference.overview,
    "command_details": command_reference.details,
    "metrics": option_reference.metrics,
    "rules": rules,
    "settings": option_reference.settings,
    "sql_library": sql_reference.library_reference,
    "tables": schema.markdown,
}
"""Each generated part by its name, with the function that writes it."""


def pages() -> Iterator[Path]:
    """Every page of the documentation: those at the root of the repository and those below ``docs``."""
    yield from sorted(ROOT.glob("*.md"))
    yield from sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts)


def with_generated_parts(text: str) -> str:
    """A page with its generated parts as they are now."""
    return PART.sub(lambda part: part[1] + GENERATED[part[2]]() + part[4], text)


def main(names: list[str]) -> None:
    """Update every page, or those that are named."""
    for path in [Path(name).resolve() for name in names] or pages():
        text = path.read_text("utf-8")
        with tempfile.TemporaryDirectory() as folder:
            try:
                updated = examples.run(with_generated_parts(text), Path(folder).resolve())
            except examples.ExampleError as error:
                sys.exit(f"{path.relative_to(ROOT)}: an example fails with {error}")
        if updated != text:
            path.write_text(updated, "utf-8")
            sys.stdout.write(f"updated {path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
