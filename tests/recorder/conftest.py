"""Fixtures for the tests of the recorder: scripts in their own interpreters, and the sessions they wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clamp_analytics.recorder import EntropyTelemetry

Sessions = Callable[[Path], list[dict[str, Any]]]


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


@pytest.fixture
def sessions() -> Sessions:
    """Read every session of a folder with a strict JSON parser; hidden files are skipped."""

    def read(folder: Path) -> list[dict[str, Any]]:
        paths = [path for path in sorted(folder.glob("*.json")) if not path.name.startswith(".")]
        return [json.loads(path.read_bytes().decode("utf-8"), parse_constant=_refuse) for path in paths]

    return read


@pytest.fixture
def python(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a script in its own interpreter, with ``tmp_path`` as the working directory."""

    def run(script: str, *options: str, before: list[str] | None = None) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "script.py"
        path.write_text(textwrap.dedent(script), encoding="utf-8")
        return subprocess.run(
            [*(before or []), sys.executable, *options, str(path)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONWARNINGS": "default", "PYTHONUNBUFFERED": ""},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def telemetry(tmp_path: Path) -> EntropyTelemetry:
    return EntropyTelemetry(tmp_path / "out")
