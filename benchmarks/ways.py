"""Ways to do a task, each as a process: ours, and every contender."""

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

from benchmarks.contenders import JQ, LOADS, SUMMARIES
from benchmarks.corpus import Corpus, Truth, make, quick
from benchmarks.measure import Contender, Run, check, run

CONTENDERS: Mapping[str, Mapping[str, tuple[str, Callable[[str], Any]]]] = {"load": LOADS, "summarize": SUMMARIES}
COMMAND = Path(sys.executable).with_name("clamp-analytics")


@dataclass(frozen=True, slots=True)
class Bench:
    """What is run, and how often.

    Attributes:
        home: the folder that corpora lie in.
        runs: turns of each comparison.
        quick: whether corpora are a tenth of their size.
        full: whether the largest are measured, too.
    """

    home: Path
    runs: int = 5
    quick: bool = False
    full: bool = False

    def corpus(self, shape: Corpus) -> tuple[Path, Truth]:
        """The folder of a shape, made where it is missing."""
        return make(quick(shape) if self.quick else shape, self.home)


def clamp(*arguments: str) -> list[str]:
    """Our command line."""
    program = [str(COMMAND)] if COMMAND.exists() else [sys.executable, "-m", "clamp_analytics"]
    return [*program, *arguments]


def module(name: str, *arguments: object) -> list[str]:
    """A module of the benchmark in a process of its own."""
    return [sys.executable, "-m", f"benchmarks.{name}", *map(str, arguments)]


def _artifact(done: Run) -> Mapping[str, Any]:
    artifact = json.loads(done.output)
    names = {"session_count": "scored", "mean_stability": "mean", "stability_variance": "variance"}
    names["drift_index"] = "drift_ms"
    return {name: artifact[key] for key, name in names.items()}


def summarizing(folder: Path, *options: str, name: str = "clamp_analytics") -> Contender:
    """Our ``summarize`` as a whole process, with the artifact as its answer."""
    return Contender(name, clamp("summarize", str(folder), "-o", "-", *options), answer=_artifact, decimals=6)


def inside(what: str, folder: Path, *arguments: object, name: str = "") -> Contender:
    """Something that ``inside.py`` measures."""
    return Contender(
        name or what, module("inside", what, folder, *arguments), seconds=lambda done: done.line(-1)["seconds"]
    )


def loading(name: str, folder: Path) -> Contender:
    """A contender that loads; its time is taken inside."""
    return Contender(name, module("contenders", "load", name, folder), seconds=lambda done: done.line(0)["seconds"])


def contenders(task: str, folder: Path) -> list[Contender]:
    """All contenders for a task, ours first, whether they are installed or not."""
    if task == "load":
        return [loading(name, folder) for name in LOADS]
    scripts = [Contender(name, module("contenders", "summarize", name, folder)) for name in SUMMARIES]
    pipe = 'find "$1" -name "*.json" -print0 | xargs -0 cat | jq -n -c "$2"'
    jq = Contender("jq", ["sh", "-c", pipe, "sh", str(folder), JQ], answer=lambda done: done.line(-1))
    return [summarizing(folder), *scripts, jq]


def missing(name: str, task: str) -> str | None:
    """What a contender lacks; None where it can run."""
    if name == "jq":
        tools = [tool for tool in ("sh", "find", "xargs", "jq") if shutil.which(tool) is None]
        return f"{', '.join(tools)} not installed" if tools else None
    modules: dict[str, str] = {key: needed for key, (needed, _) in CONTENDERS[task].items()}
    absent = [part for part in modules.get(name, "").split() if importlib.util.find_spec(part.split(".")[0]) is None]
    return f"{', '.join(absent)} not installed" if absent else None


def check_exactly(folder: Path, truth: Truth) -> None:
    """Compare our figures with all their digits, which the artifact has not.

    Raises:
        FailedError: one is wrong.
    """
    with tempfile.TemporaryDirectory() as place:
        done = run(clamp("summarize", str(folder), "--format", "json", "-o", str(Path(place, "artifact.json"))))
    row = json.loads(done.output)[0]
    names = {"mean_stability": "mean", "sample_variance": "variance", "drift_index_ms": "drift_ms"}
    names |= {name: name for name in ("records", "scored", "in_flight", "rejected")}
    check({name: row[key] for key, name in names.items()}, asdict(truth))
