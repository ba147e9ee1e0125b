"""Command lines of the contenders: each does one task in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.corpus import Corpus, Truth, make_corpus, quick
from benchmarks.measure import Contender, Run, check, run
from benchmarks.rivals import JQ, LOADS, SUMMARIES

CONTENDERS: Mapping[str, Mapping[str, tuple[str, Callable[[str], Any]]]] = {"load": LOADS, "summarize": SUMMARIES}
COMMAND = Path(sys.executable).with_name("clamp-analytics")


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one benchmark run.

    Attributes:
        home: the folder that holds the corpora.
        runs: number of turns per comparison.
        quick: whether to use corpora of a tenth of the size.
        full: whether to measure the largest corpora, too.
    """

    home: Path
    runs: int = 5
    quick: bool = False
    full: bool = False

    def corpus(self, shape: Corpus) -> tuple[Path, Truth]:
        """The folder of a corpus, which is created if it is missing, and the expected answer."""
        return make_corpus(quick(shape) if self.quick else shape, self.home)


def clamp_command(*arguments: str) -> list[str]:
    """The command line of ``clamp-analytics``."""
    program = [str(COMMAND)] if COMMAND.exists() else [sys.executable, "-m", "clamp_analytics"]
    return [*program, *arguments]


def module_command(name: str, *arguments: object) -> list[str]:
    """The command line that runs a module of the benchmarks."""
    return [sys.executable, "-m", f"benchmarks.{name}", *map(str, arguments)]


def _artifact(done: Run) -> Mapping[str, Any]:
    artifact = json.loads(done.output)
    names = {"session_count": "scored", "mean_stability": "mean", "stability_variance": "variance"}
    names["drift_index"] = "drift_ms"
    return {name: artifact[key] for key, name in names.items()}


def summarize_command(folder: Path, *options: str, name: str = "clamp_analytics") -> Contender:
    """Our ``summarize`` as a whole process; its answer is the artifact."""
    return Contender(name, clamp_command("summarize", str(folder), "-o", "-", *options), answer=_artifact, decimals=6)


def in_process(what: str, folder: Path, *arguments: object, name: str = "") -> Contender:
    """A measurement of ``in_process``, which is timed inside the process."""
    return Contender(
        name or what,
        module_command("in_process", what, folder, *arguments),
        seconds=lambda done: done.line(-1)["seconds"],
    )


def load_command(name: str, folder: Path) -> Contender:
    """A contender of the task ``load``, which is timed inside the process."""
    return Contender(name, module_command("rivals", "load", name, folder), seconds=lambda done: done.line(0)["seconds"])


def contenders(task: str, folder: Path) -> list[Contender]:
    """All contenders for a task, ours first, including those that are not installed."""
    if task == "load":
        return [load_command(name, folder) for name in LOADS]
    scripts = [Contender(name, module_command("rivals", "summarize", name, folder)) for name in SUMMARIES]
    pipe = 'find "$1" -name "*.json" -print0 | xargs -0 cat | jq -n -c "$2"'
    jq = Contender("jq", ["sh", "-c", pipe, "sh", str(folder), JQ], answer=lambda done: done.line(-1))
    return [summarize_command(folder), *scripts, jq]


def missing_tools(name: str, task: str) -> str | None:
    """Which tools or packages a contender lacks, as a sentence; None if it can run."""
    if name == "jq":
        tools = [tool for tool in ("sh", "find", "xargs", "jq") if shutil.which(tool) is None]
        return f"{', '.join(tools)} not installed" if tools else None
    modules: dict[str, str] = {key: needed for key, (needed, _) in CONTENDERS[task].items()}
    absent = [part for part in modules.get(name, "").split() if importlib.util.find_spec(part.split(".")[0]) is None]
    return f"{', '.join(absent)} not installed" if absent else None


def check_exactly(folder: Path, truth: Truth) -> None:
    """Compare our figures with all their digits; the artifact has only six decimals.

    Raises:
        FailedError: one is wrong.
    """
    with tempfile.TemporaryDirectory() as folder_name:
        done = run(
            clamp_command("summarize", str(folder), "--format", "json", "-o", str(Path(folder_name, "artifact.json")))
        )
    row = json.loads(done.output)[0]
    names = {"mean_stability": "mean", "sample_variance": "variance", "drift_index_ms": "drift_ms"}
    names |= {name: name for name in ("records", "scored", "in_flight", "rejected")}
    check({name: row[key] for key, name in names.items()}, asdict(truth))
