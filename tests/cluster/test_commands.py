"""Every command that reads gives the same bytes on a cluster as on one machine."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from clamp_analytics.cli import make_app
from tests.conftest import INTEROP, numbered, write

SAMPLES = Path(__file__).parents[2] / "data" / "samples"

CALLS = {
    "summarize": "--by context --label run=clamp_run_(\\d+) -f json -o artifact.json",
    "validate": "--fail-on never -f json -o violations.json",
    "score": "-f json -o scores.json",
    "seeds": "-f json -o seeds.json",
    "drift": "--by backend -f json -o drift.json",
    "compare": "--by backend -f json -o comparison.json",
    "report": "--by backend --metric mean_stability --last 9 -o report.html",
    "export": "-o exported",
}
"""The commands, with options that make them write all that they find."""


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Folders with sound and faulty sessions, repeated ones, containers, and files that cannot be read."""
    for name in ("drifting", "faulty"):
        shutil.copytree(SAMPLES / name, tmp_path / name)
    shutil.copytree(INTEROP, tmp_path / "interop")
    (tmp_path / "faulty" / "nowhere.json").symlink_to("missing")
    heap = write(tmp_path / "heap", {f"{seed}!.json": numbered(seed) for seed in (1, 2, 3)})
    with zipfile.ZipFile(heap / "some.zip", "w") as archive:
        for name in ("1!.json", "2!.json"):
            archive.write(heap / name, f"inside/{name}")
        archive.writestr("notes.txt", "")
    with tarfile.open(heap / "others.tar.gz", "w:gz") as archive:
        archive.add(heap / "3!.json", "3.json")
    (heap / "cut.zip").write_bytes((heap / "some.zip").read_bytes()[:-30])
    monkeypatch.chdir(tmp_path)
    return ["drifting", "faulty", "heap", "interop", str(SAMPLES / "clean")]


def run(arguments: list[str], folder: Path) -> dict[str, str | bytes]:
    """What a command prints, and the files that it writes, by their names."""
    shown = CliRunner().invoke(make_app(), arguments)
    files = {str(path.relative_to(folder)): path.read_bytes() for path in written(folder, arguments[-1])}
    return {"code": str(shown.exit_code), "stdout": shown.stdout, "stderr": shown.stderr, **files}


def written(folder: Path, output: str) -> list[Path]:
    path = folder / output
    return [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())


@pytest.mark.parametrize("command", CALLS)
def test_a_command_gives_the_same_bytes_on_a_cluster(
    command: str, sources: list[str], cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A comparison has two sides, and drawing many series takes long.
    named = {"compare": [sources[0], sources[-1]], "report": sources[-1:]}.get(command, sources)
    call = [command, *named, *CALLS[command].split()]
    here = run(call, tmp_path)
    for path in written(tmp_path, call[-1]):
        path.unlink()
    if command == "export":
        shutil.rmtree("exported")
    monkeypatch.setenv("CLAMP_CLUSTER", cluster)

    there = run(call, tmp_path)

    assert there == here
    assert len(here) > len(("code", "stdout", "stderr"))


def test_ingest_writes_the_same_tables_on_a_cluster(sources: list[str], cluster: str, tmp_path: Path) -> None:
    here = run(["ingest", *sources, "-a", "here.duckdb"], tmp_path)
    there = run(["ingest", *sources, "--cluster", cluster, "-a", "there.duckdb"], tmp_path)

    assert str(there["stderr"]).replace("there.duckdb", "here.duckdb") == here["stderr"]
    for table in ("sessions", "records", "violations", "files", "containers"):
        assert rows(tmp_path / "there.duckdb", table) == rows(tmp_path / "here.duckdb", table) != []


def rows(archive: Path, table: str) -> list[tuple[object, ...]]:
    with duckdb.connect(archive, read_only=True) as connection:
        # The ingests have the times at which they ran.
        return connection.sql(f"SELECT COLUMNS(lambda name: name NOT LIKE 'ingest%') FROM {table}").pl().rows()


@pytest.mark.parametrize("further", [[], ["exported"]], ids=["files", "files and an export"])
def test_each_session_is_read_once_on_a_cluster(
    further: list[str], sources: list[str], cluster: str, tmp_path: Path
) -> None:
    run(["export", "heap", "-o", "exported"], tmp_path)
    call = ["score", *sources, *further, "--unique", "-f", "json", "-o", "-"]

    there = run([*call, "--cluster", cluster], tmp_path)

    assert there == run(call, tmp_path)
    assert "skipped" in str(there["stderr"])
