"""Run the examples of a documentation page and write their present output into it.

The blocks of a page run in order, in one folder that starts with ``data/samples`` and some sessions in
``build/telemetry``, or empty where the page says ``<!-- examples: empty folder -->``:

- ``console``: each command after ``$`` runs in bash; the lines below it are what it prints.
- ``pycon``: a Python session; all of a page share one namespace.
- ``python``: a script. With a ``:caption:`` the block, of any language, is a file of that name.
- ``sql``: statements for DuckDB, without this package.

Other languages, such as ``sh`` and ``text``, are not run. The output of a block after ``<!-- output varies -->`` may
differ in figures, and only its wording is compared.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import shutil
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
EMPTY_FOLDER = "<!-- examples: empty folder -->"
VARIES = "<!-- output varies -->\n"
SHOWN_FOLDER = "/home/ada/pipeline"
"""The name of the folder of the examples in shown output."""

BLOCK = re.compile(
    rf"(?P<varies>{VARIES})?"
    r"(?P<fence>^`{3,}) *(?:\{code-block\} *)?(?P<language>\w+)\n"
    r"(?P<options>(?::[\w-]+:.*\n)*)\n?"
    r"(?P<body>(?:(?!^`{3}).*\n)*?)"
    r"(?P=fence)$",
    re.MULTILINE,
)
CAPTION = re.compile(r"^:caption: *(.+)$", re.MULTILINE)


class ExampleError(Exception):
    """An example of a page fails."""


class _Recorder(doctest.DocTestRunner):
    """Runs a Python session and keeps what each statement prints."""

    def __init__(self) -> None:
        super().__init__(verbose=False)
        self.printed: list[str] = []

    def report_success(self, out: Any, test: Any, example: Any, got: str) -> None:
        self.printed.append(got)

    report_failure = report_success

    def report_unexpected_exception(self, out: Any, test: Any, example: Any, exc_info: Any) -> None:
        error = "".join(traceback.format_exception(*exc_info))
        raise ExampleError(f"{example.source}\n{error}")


class Examples:
    """The state that the examples of one page share: their folder, Python names and database."""

    def __init__(self, folder: Path) -> None:
        """Use a folder, which must exist."""
        self.folder = folder
        self._names: dict[str, Any] = {"__name__": "__main__"}
        self._database: Any = None

    def render(self, page: str) -> str:
        """Run every block of a page and return the page with the present output."""
        parts, end = [], 0
        with contextlib.chdir(self.folder):
            for block in BLOCK.finditer(page):
                start, stop = block.span("body")
                body = self._run(block)
                if block["varies"] and wording(body) == wording(block["body"]):
                    body = block["body"]
                parts += [page[end:start], body]
                end = stop
        return "".join(parts) + page[end:]

    def _run(self, block: re.Match[str]) -> str:
        language, body = block["language"], block["body"]
        if caption := CAPTION.search(block["options"]):
            path = self.folder / caption[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(body, "utf-8")
        elif language == "console":
            return "".join(self._command(command, shown) for command, shown in commands(body))
        elif language == "pycon":
            return self._session(body)
        elif language == "python":
            self._shell([sys.executable, "-c", body], body)
        elif language == "sql":
            self._statements(body)
        return body

    def _command(self, command: str, shown: str) -> str:
        printed = self._shell(["bash", "-c", command.replace("\n> ", "\n")], command)
        return f"$ {command}\n{printed if shown else ''}"

    def _shell(self, arguments: list[str], shown: str) -> str:
        """Run a command; exit code 1 is a failed check and accepted, any other code but 0 is an error."""
        done = subprocess.run(
            arguments,
            cwd=self.folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode not in (0, 1) or "Traceback" in done.stdout:
            raise ExampleError(f"exit code {done.returncode}: {shown}\n{done.stdout}")
        return self._public(done.stdout)

    def _session(self, body: str) -> str:
        test = doctest.DocTestParser().get_doctest(body, self._names, "page", None, None)
        recorder = _Recorder()
        recorder.run(test, out=io.StringIO().write, clear_globs=False)
        self._names.update(test.globs)
        lines = []
        for example, printed in zip(test.examples, recorder.printed, strict=True):
            first, *others = example.source.splitlines()
            lines += [f">>> {first}", *(f"... {line}".rstrip() for line in others)]
            lines += self._public(printed).splitlines()
        return "\n".join(lines) + "\n"

    def _statements(self, body: str) -> None:
        import duckdb

        self._database = self._database or duckdb.connect()
        self._database.execute(body)

    def _public(self, text: str) -> str:
        """The text without trailing blanks and without the name of a temporary folder."""
        text = text.replace(str(self.folder), SHOWN_FOLDER)
        return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def commands(body: str) -> Iterator[tuple[str, str]]:
    """The commands of a console block, each with the output shown below it."""
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        length = 1
        while length < len(lines) and lines[length].startswith("> "):
            length += 1
        yield "\n".join(lines[:length]), "\n".join(lines[length:])


def wording(text: str) -> str:
    """An output without its figures and names with digits, and without rules, bars and column widths."""
    text = re.sub(r"[▁▂▃▄▅▆▇█─]+", "─", text)
    text = re.sub(r"\S*[0-9]\S*", "0", text)
    return re.sub(r" +", " ", text)


def environment() -> dict[str, str]:
    """The environment of an example: the commands of this installation, no colours, no trace of a CI system."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "PYTEST_", "CLAMP_"))}
    kept.pop("CI", None)
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return {**kept, "PATH": path, "NO_COLOR": "1", "COLUMNS": "120", "TZ": "UTC"}


def prepare(page: str, folder: Path) -> None:
    """Copy the files into a folder with which the examples of a page start."""
    if EMPTY_FOLDER not in page:
        shutil.copytree(ROOT / "data", folder / "data")
        shutil.copytree(ROOT / "data" / "samples" / "clean", folder / "build" / "telemetry")


def run(page: str, folder: Path) -> str:
    """Run the examples of a page in an empty folder and return the page with their present output."""
    prepare(page, folder)
    return Examples(folder).render(page)
