"""Shortcuts to the results of reading containers."""

from __future__ import annotations

import zlib
from pathlib import Path

from clamp_analytics.reading import Counts, Telemetry, load
from tests.conftest import GOOD, numbered, write

TWO = {"x.json": GOOD, "y.json": numbered(2)}
OTHER = numbered(99)
NAME = b"x.json"
CRC = zlib.crc32(GOOD)


def beside(tmp_path: Path, name: str, data: bytes, **options: object) -> Telemetry:
    """Read a folder with a container and a valid session."""
    write(tmp_path, {name: data, "zz.json": OTHER})
    return load(tmp_path, jobs=1, **options)  # type: ignore[arg-type]


def container_faults(telemetry: Telemetry) -> list[tuple[str, str]]:
    """The name and rule of every violation that is about a container."""
    rows = telemetry.violations.select("source", "rule").rows()
    return [(Path(source).name, rule) for source, rule in rows if rule.startswith(("container-", "unreadable"))]


def why(telemetry: Telemetry) -> str:
    """The reason of the only violation."""
    (message,) = telemetry.violations["message"].to_list()
    return str(message).partition(" (")[2].removesuffix(")")


def refused(telemetry: Telemetry, name: str, rule: str) -> str:
    """The reason why the whole container was refused; checks that nothing else was."""
    assert telemetry.counts == Counts(loaded=1, rejected=1, skipped=0)
    assert container_faults(telemetry) == [(name, rule)]
    assert telemetry.records["seed"].to_list() == [99]
    return why(telemetry)
