"""A process that has imported the package and runs code in forks of itself, for tests that measure one process each.

A fork starts with the memory of its parent, and costs a hundredth of a new process. The parent starts no thread, so
that each fork has all that its libraries need.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SERVER = """
import json, os, sys, traceback
import clamp_analytics.reading.task, polars
from clamp_analytics.reading import load
from clamp_analytics.sources import Member, read_container

for line in sys.stdin:
    request = json.loads(line)
    child = os.fork()
    if not child:
        for stream, path in ((1, request["stdout"]), (2, request["stderr"])):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
        sys.argv = ["-c", *request["arguments"]]
        code = 1
        try:
            exec(request["code"], {"__name__": "__main__"})
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class ForkServer:
    """Runs code in forks of a process."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self._folder = folder

    def run(self, code: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run code with these arguments as ``sys.argv[1:]``."""
        stdout, stderr = self._folder / "stdout", self._folder / "stderr"
        request = {"code": code, "arguments": arguments, "stdout": str(stdout), "stderr": str(stderr)}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        ended = int(self._process.stdout.readline())
        return subprocess.CompletedProcess(code, ended, stdout.read_bytes(), stderr.read_bytes())


@contextmanager
def fork_server(folder: Path) -> Iterator[ForkServer]:
    """Start the process, and end it at last; its files are in a folder."""
    environment = {**os.environ, "POLARS_MAX_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield ForkServer(process, folder)
        finally:
            process.kill()
