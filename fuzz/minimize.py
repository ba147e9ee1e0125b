"""Copy the found inputs that reach lines which no other input reaches: ``python -m fuzz.minimize TARGET``.

Each input is copied from ``build/fuzz/corpus`` to ``fuzz/corpus``, where the test suite runs it.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Any

from fuzz.target import INSTRUMENTED, Target

Arc = tuple[str, int, int]
"""A step from one line of a file to another one."""


class ArcTracer:
    """Collects the arcs that a target takes through its instrumented modules."""

    def __init__(self, modules: tuple[str, ...]) -> None:
        self._modules = modules
        self.arcs: set[Arc] = set()

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        if not str(frame.f_globals.get("__name__", "")).startswith(self._modules):
            return None
        code, previous = frame.f_code.co_filename, 0

        def trace_lines(inner: FrameType, event: str, _: Any) -> Any:
            nonlocal previous
            if event == "line":
                self.arcs.add((code, previous, inner.f_lineno))
                previous = inner.f_lineno
            return trace_lines

        return trace_lines


def arcs_of(target: Target, data: bytes, modules: tuple[str, ...]) -> set[Arc]:
    """The arcs that one input takes."""
    tracer = ArcTracer(modules)
    sys.settrace(tracer)
    try:
        target.run(data)
        target.finish()
    finally:
        sys.settrace(None)
    return tracer.arcs


def main() -> None:
    name = sys.argv[1]
    kept, found = Path("fuzz/corpus", name).absolute(), Path("build/fuzz/corpus", name).absolute()
    paths = [path for folder in (kept, found) for path in folder.iterdir()]
    inputs = sorted({path.read_bytes() for path in paths}, key=lambda data: (len(data), data))
    with tempfile.TemporaryDirectory() as temporary:
        target: Target = importlib.import_module(f"fuzz.{name}").target(Path(temporary))
        arcs = {data: arcs_of(target, data, tuple(INSTRUMENTED[name])) for data in inputs}
    missing = set[Arc]().union(*arcs.values())
    chosen = []
    while missing:
        # Of two inputs that reach as much, the shorter one comes first.
        best = max(inputs, key=lambda data: len(arcs[data] & missing))
        chosen.append(best)
        missing -= arcs[best]
    for path in kept.iterdir():
        path.unlink()
    for data in chosen:
        (kept / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    print(f"{name}: {len(chosen)} of {len(inputs)} inputs")


if __name__ == "__main__":
    main()
