"""A process that has imported modules and runs code in forks of itself, for tests that need many processes.

Importing takes longer than most commands run, and a fork of a process that has imported everything costs a fraction.
The process starts no thread of its own, so each fork has all that its libraries need.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

READING = """
import clamp_analytics.decode.batch_builder, clamp_analytics.reading.task, polars
from clamp_analytics.reading import load
from clamp_analytics.sources import Member
from clamp_analytics.sources.containers.contents import read_container
"""
"""Imports what reads files, and no more: some tests bound the address space of a fork."""

EVERYTHING = """
import importlib, pkgutil
import clamp_analytics

for module in pkgutil.walk_packages(clamp_analytics.__path__, "clamp_analytics."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
import altair, pyarrow, rich.console, scipy.optimize
gc.freeze()
# Frozen objects of DuckDB would be reported as leaks.
import duckdb
"""
"""Imports the package and what its commands import when they need it."""

COMMAND = """
from clamp_analytics.__main__ import main
main()
"""
"""Runs the command line."""

SECONDS = 120
"""The longest time that one run may take."""

# Each line on the socket is a request, which is answered with an exit code. A fork leaves the loop after it has run its
# code, so it ends as every process does.
_SERVE = r"""
for line in control.makefile():
    if os.fork() == 0:
        request = json.loads(line)
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["env"])
        modes = (os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for number, (path, mode) in enumerate(zip(request["streams"], modes)):
            opened = os.open(path, mode, 0o600)
            os.dup2(opened, number)
            os.close(opened)
        sys.argv = ["clamp-analytics", *request["arguments"]]
        exec(request["code"], {"__name__": "__main__"})
        break
    control.sendall(f"{os.waitstatus_to_exitcode(os.wait()[1])}\n".encode())
"""
_SERVER = """
import gc, json, os, socket, sys
control = socket.socket(fileno=int(sys.argv[1]))
"""


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        code: its exit code.
        out: its standard output.
        err: its standard error.
    """

    code: int
    out: str
    err: str


class ForkServer:
    """Runs code in forks of a process."""

    def __init__(self, control: socket.socket, folder: Path) -> None:
        """Use a socket to the process, and a folder for the standard streams of its forks."""
        self._control = control
        self._answers = control.makefile()
        self._streams = [folder / name for name in ("stdin", "stdout", "stderr")]

    def run(
        self,
        code: str,
        *arguments: str,
        folder: Path | None = None,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
    ) -> Ended:
        """Run code with ``sys.argv[1:]``, in a folder and environment; by default those of this process."""
        self._streams[0].write_bytes(stdin)
        request = {
            "code": code,
            "arguments": arguments,
            "folder": str(folder or Path.cwd()),
            "streams": [*map(str, self._streams)],
            "env": dict(os.environ if env is None else env),
        }
        self._control.sendall(json.dumps(request).encode() + b"\n")
        ended = int(self._answers.readline())
        return Ended(ended, *(stream.read_bytes().decode() for stream in self._streams[1:]))


@contextmanager
def fork_server(imports: str, folder: Path) -> Iterator[ForkServer]:
    """Start a process that runs the code ``imports`` first, and end it at last; its files are in a folder."""
    ours, theirs = socket.socketpair()
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER + imports + _SERVE, str(theirs.fileno())],
        stdin=subprocess.DEVNULL,
        pass_fds=(theirs.fileno(),),
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"},
    ) as process:
        theirs.close()
        ours.settimeout(SECONDS)
        try:
            yield ForkServer(ours, folder)
        finally:
            ours.close()
            process.kill()


def run_in_new_process(arguments: Sequence[str], folder: Path, stdin: bytes, env: Mapping[str, str]) -> Ended:
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
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())
