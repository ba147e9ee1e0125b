"""Run one target under atheris in a process of its own: ``python -m fuzz.engine TARGET OPTIONS``."""

from __future__ import annotations

import hashlib
import importlib
import re
import sys
import tempfile
import traceback
from pathlib import Path

import atheris

from fuzz.target import INSTRUMENTED, DifferenceError, Target

FINDINGS = 50
"""Different findings that are kept; a target that has more is broken."""


class Recorder:
    """Passes inputs to a target and saves those that fail, each kind once, so that the run goes on."""

    def __init__(self, target: Target, folder: Path) -> None:
        self._target = target
        self._folder = folder
        self._kinds: set[str] = set()

    def __call__(self, data: bytes) -> None:
        try:
            self._target.run(data)
        except Exception as error:
            self._save(data, error)

    def _save(self, data: bytes, error: Exception) -> None:
        if isinstance(error, DifferenceError):
            data = error.data
        text = "".join(traceback.format_exception(error))
        kind = type(error).__name__ + re.sub(r"[0-9]+|'[^']*'|\"[^\"]*\"", "", str(error))[:80]
        if kind in self._kinds or len(self._kinds) >= FINDINGS:
            return
        self._kinds.add(kind)
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / hashlib.sha256(data).hexdigest()[:16]
        path.write_bytes(data)
        path.with_suffix(".txt").write_text(f"{text}\n{data!r}\n", errors="backslashreplace")
        print(f"FINDING {path}: {str(error)[:300]!r}", file=sys.stderr, flush=True)


def main() -> None:
    name, findings, *options = sys.argv[1:]
    # A target may change the working folder.
    folder = Path(findings).absolute()
    with atheris.instrument_imports(include=list(INSTRUMENTED[name])):
        target: Target = importlib.import_module(f"fuzz.{name}").target(Path(tempfile.mkdtemp()))
    arguments = [sys.argv[0], f"-max_len={target.max_bytes}", f"-artifact_prefix={folder}/", *options]
    if target.dictionary:
        arguments.append(f"-dict={Path(__file__).parent / 'dictionaries' / target.dictionary}")
    atheris.Setup(arguments, Recorder(target, folder))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
