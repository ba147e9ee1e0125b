"""Check how a command ends that cannot write, and whether the files that it has left are whole."""

from __future__ import annotations

import json
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

from clamp_analytics.sources import MANIFEST
from tests.faults.commands import COMMAND

LOGS = (".wal",)
"""What DuckDB leaves beside a database that a killed process had open; the next one takes it in."""

LOCK = ".duckdb.lock"
"""The lock beside an archive. Its file may outlive a killed process; the kernel has released the lock then."""


def assert_refused(done: subprocess.CompletedProcess[str]) -> None:
    """Check that a command has ended with a sentence and the exit code of an output that cannot be written."""
    assert "Traceback" not in done.stderr
    assert done.returncode == 3, done.stderr
    assert any(line.startswith("error: ") for line in done.stderr.splitlines())


def assert_whole(work: Path) -> None:
    """Check that every file of a folder is whole, and that none is a temporary one."""
    temporary = [path.name for path in work.rglob("*") if path.name.startswith(".")]
    assert not temporary, f"left behind: {temporary}"
    for path in work.iterdir():
        assert_entry_whole(path)


def assert_entry_whole(path: Path) -> None:
    """Check that an output has all that its kind must have."""
    if path.is_dir():
        assert_folder_whole(path)
    elif path.suffix in (".json", ".sarif"):
        json.loads(path.read_bytes())
    elif path.suffix == ".svg":
        ET.fromstring(path.read_bytes())
    elif path.suffix == ".html":
        assert path.read_bytes().rstrip().endswith(b"</html>")
    elif path.suffix == ".duckdb":
        checked = subprocess.run([*COMMAND, "archive", "check", path], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stdout + checked.stderr
    else:
        assert path.suffix in LOGS or path.name.endswith(LOCK), f"an unknown file: {path.name}"


def assert_folder_whole(folder: Path) -> None:
    """Check an export against its manifest, or that every file of another folder is whole."""
    manifest = folder / MANIFEST
    if manifest.exists():
        files = json.loads(manifest.read_bytes())["files"]
        sizes = {file["path"]: file["size_bytes"] for file in files}
        found = {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*.parquet")}
        assert found == sizes
        return
    for path in folder.rglob("*"):
        assert path.is_dir() or json.loads(path.read_bytes())
