"""Runs commands in forks of one process that has imported the package; the fixture ``clamp`` starts this program.

Importing takes longer than most commands run. Each request is a line of JSON on the socket whose number
is the first argument, and is answered with the exit code of the command.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import clamp_analytics

LIBRARIES = ("altair", "pyarrow", "rich.console", "scipy.optimize")
"""What commands import when they need it; nothing here starts a thread that a fork would miss."""

SECONDS = 120
"""The longest time that a command may take."""


@dataclass(frozen=True)
class Done:
    """What a command gave."""

    code: int
    out: str
    err: str


class CommandServer:
    """The process that runs commands."""

    def __init__(self) -> None:
        """Start the process."""
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(SECONDS)
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            cwd=Path(__file__).parents[1],
        )
        theirs.close()
        self._answers = self._socket.makefile()

    def run(self, arguments: Sequence[str], folder: Path, files: Path, stdin: bytes, env: Mapping[str, str]) -> Done:
        """Run a command in a folder; ``files`` is a folder for its standard streams."""
        streams = [files / name for name in ("stdin", "stdout", "stderr")]
        streams[0].write_bytes(stdin)
        request = {"arguments": arguments, "folder": str(folder), "streams": [*map(str, streams)], "env": dict(env)}
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        code = int(self._answers.readline())
        return Done(code, *(stream.read_bytes().decode() for stream in streams[1:]))

    def close(self) -> None:
        """End the process."""
        self._answers.close()
        self._socket.close()
        self._process.wait(SECONDS)


def run_in_new_process(arguments: Sequence[str], folder: Path, stdin: bytes, env: Mapping[str, str]) -> Done:
    """Run a command in a new interpreter."""
    done = subprocess.run(
        [sys.executable, "-m", "clamp_analytics", *arguments],
        input=stdin,
        capture_output=True,
        cwd=folder,
        env=env,
        timeout=SECONDS,
        check=False,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def serve(control: socket.socket) -> bool:
    """Answer requests; true in a fork that is to run a command."""
    for line in control.makefile():
        if os.fork() == 0:
            _prepare(**json.loads(line))
            return True
        _, status = os.wait()
        control.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    return False


def _prepare(arguments: list[str], folder: str, streams: list[str], env: dict[str, str]) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    modes = (os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number, (path, mode) in enumerate(zip(streams, modes, strict=True)):
        opened = os.open(path, mode, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = ["clamp-analytics", *arguments]


def _import_everything() -> None:
    for module in pkgutil.walk_packages(clamp_analytics.__path__, "clamp_analytics."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for library in LIBRARIES:
        importlib.import_module(library)
    # The garbage collection at the end of each fork would go through all these modules. DuckDB reports what it does not
    # collect as leaks, so its modules are imported later.
    gc.freeze()
    importlib.import_module("duckdb")


if __name__ == "__main__":
    _import_everything()
    if serve(socket.socket(fileno=int(sys.argv[1]))):
        from clamp_analytics.__main__ import main

        main()
