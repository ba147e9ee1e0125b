"""The reference of the options in ``pyproject.toml`` and of the metrics, from their declarations."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from typing import Any

import clamp_analytics as clamp
from clamp_analytics.analysis.options import CompareOptions, DriftOptions, SeedOptions
from clamp_analytics.cli.settings import TABLES
from clamp_analytics.cli.validate_options import ValidateOptions

OPTIONS = (DriftOptions, CompareOptions, SeedOptions, ValidateOptions)
"""The options of each of ``TABLES``."""

ATTRIBUTE = re.compile(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)


def settings() -> str:
    """The keys of each table with default and meaning."""
    return (
        "\n".join(line for name, options in zip(TABLES, OPTIONS, strict=True) for line in _table(name, options)) + "\n"
    )


def _table(name: str, options: Any) -> Iterator[str]:
    meanings = {key: " ".join(text.split()) for key, text in ATTRIBUTE.findall(inspect.getdoc(options) or "")}
    yield from (f"### \\[tool.clamp-analytics.{name}\\]", "", "| key | default | meaning |", "|---|---|---|")
    for field in dataclasses.fields(options):
        meaning = meanings[field.name].replace("``", "`")
        yield f"| `{field.name}` | {_default(field)} | {meaning[0].upper()}{meaning[1:]} |"
    yield ""


def _default(field: dataclasses.Field[Any]) -> str:
    return "none" if field.default in (None, (), dataclasses.MISSING) else f"`{field.default}`"


def metrics() -> str:
    """The metrics with unit, direction, scale and floor."""
    rows = ["| metric | value of a session | unit | better | scale | floor |", "|---|---|---|---|---|---|"]
    for metric in clamp.METRICS.values():
        better = {True: "higher", False: "lower", None: "-"}[metric.higher_is_better]
        floor = f"{metric.floor:.0%}" if metric.is_relative else f"{metric.floor:g}"
        rows.append(
            f"| `{metric.name}` | {metric.sentence} | {metric.unit} | {better} | {metric.scale.value} | {floor} |"
        )
    return "\n".join(rows) + "\n"
