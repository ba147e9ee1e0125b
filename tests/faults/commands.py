"""One call of every command, with sources that it can read and outputs of its own folder."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from clamp_analytics.cli import make_app

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
COMMAND = [sys.executable, "-m", "clamp_analytics"]


@dataclass(frozen=True)
class Call:
    """How a command is called.

    Attributes:
        arguments: its arguments; ``{sessions}`` and ``{archive}`` are paths of sources.
        output: the file or folder that it writes, in the working folder; empty where it writes none.
        changes_archive: whether it writes into the archive.
        ends: whether it ends by itself.
    """

    arguments: str
    output: str = ""
    changes_archive: bool = False
    ends: bool = True


CALLS = {
    "summarize": Call("{sessions} -o summary.json", "summary.json"),
    "validate": Call("{sessions} -f sarif -o violations.sarif --fail-on never", "violations.sarif"),
    "score": Call("{sessions} -f json -o scores.json", "scores.json"),
    "drift": Call("{sessions} -f json -o drift.json", "drift.json"),
    "compare": Call("{sessions} {archive} -f json -o comparison.json", "comparison.json"),
    "calibrate": Call("{sessions} -m mean_stability --replays 2 -f json -o calibration.json", "calibration.json"),
    "seeds": Call("{sessions} -f json -o seeds.json", "seeds.json"),
    "report": Call("{sessions} -o report.html", "report.html"),
    "plot": Call("{sessions} -m mean_stability -o plot.svg", "plot.svg"),
    "export": Call("{sessions} -o export", "export"),
    "sql": Call("{sessions} 'FROM records' -f json -o rows.json", "rows.json"),
    "ingest": Call("{sessions} -a new.duckdb", "new.duckdb"),
    "watch": Call("{sessions} -a watched.duckdb --unchanged-for 0.01", "watched.duckdb", ends=False),
    "align": Call("{sessions} --to 2026-01-01T00:00:00Z -o aligned", "aligned"),
    "merge": Call("{sessions} -o merged.json", "merged.json"),
    "trace": Call("{sessions} -o trace.json", "trace.json"),
    "schema": Call("-o schema.json", "schema.json"),
    "archive info": Call("{archive}"),
    "archive check": Call("{archive}"),
    "archive forget": Call("{archive} --source *01T*", changes_archive=True),
    "archive copy": Call("{archive} copy.duckdb", "copy.duckdb"),
    "archive compact": Call("{archive}", changes_archive=True),
    "archive upgrade": Call("{archive}"),
}


def command_names() -> list[str]:
    """The commands of the application, as its users write them."""

    def names(command: Any, path: tuple[str, ...]) -> Iterator[str]:
        if inner := getattr(command, "commands", None):
            for name, member in inner.items():
                yield from names(member, (*path, name))
        else:
            yield " ".join(path)

    return list(names(typer.main.get_command(make_app()), ()))


def prepare(folder: Path) -> None:
    """Write the sources: a folder of sessions, and an archive of them."""
    shutil.copytree(SAMPLES / "drifting", folder / "sessions")
    made = subprocess.run(
        [*COMMAND, "ingest", "sessions", "-a", "archive.duckdb"], cwd=folder, capture_output=True, check=False
    )
    assert made.returncode == 0, made.stderr


def command_arguments(name: str, sources: Path, work: Path) -> list[str]:
    """The arguments of a call; what it changes is copied into the folder ``work``, in which it runs."""
    call = CALLS[name]
    archive = sources / "archive.duckdb"
    if call.changes_archive and not (work / "archive.duckdb").exists():
        archive = Path(shutil.copy(archive, work))
    elif call.changes_archive:
        archive = work / "archive.duckdb"
    given = [part.format(sessions=sources / "sessions", archive=archive) for part in shlex.split(call.arguments)]
    return [*name.split(), *given]


def command_line(name: str, sources: Path, work: Path) -> list[str]:
    """The command line of a call, with the arguments of ``command_arguments``."""
    return [*COMMAND, *command_arguments(name, sources, work)]


def environment(work: Path) -> dict[str, str]:
    """The environment of a call, with a folder of its own for temporary files."""
    temporary = work.parent / f"{work.name}-tmp"
    temporary.mkdir(exist_ok=True)
    return {**os.environ, "TMPDIR": str(temporary), "COLUMNS": "120"}
