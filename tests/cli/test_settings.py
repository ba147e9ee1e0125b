"""Options come from the defaults, then from pyproject.toml, then from the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

import pytest

from clamp_analytics.analysis.drift import DriftOptions
from clamp_analytics.analysis.options import CompareOptions
from clamp_analytics.cli.settings import cluster_address, layer_options, read_settings
from clamp_analytics.errors import UsageError
from tests.conftest import run_python


class Method(StrEnum):
    KERNEL = "kernel"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Probe:
    """Options in every type that settings convert."""

    alpha: float = 0.05
    min_sessions: int = 10
    method: Method = Method.KERNEL
    strict: bool = False
    label: str | None = None
    floors: Mapping[str, float] = field(default_factory=lambda: {"a": 1.0, "b": 2.0})

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise UsageError("it must be between 0 and 1", where=f"alpha {self.alpha}")


@dataclass(frozen=True)
class Span:
    """Options that depend on each other."""

    low: int = 1
    high: int = 2

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise UsageError("low is above high")


def options(folder, given=None):
    return layer_options("drift", Probe, given or {}, read_settings(folder))


def project(folder, text):
    (folder / "pyproject.toml").write_text(text)
    return folder


def refusal(folder, given=None):
    with pytest.raises(UsageError) as caught:
        options(folder, given)
    return caught.value


def test_without_a_file_the_defaults_hold(tmp_path):
    assert options(tmp_path) == Probe()


def test_a_file_without_our_table_says_nothing(tmp_path):
    project(tmp_path, "[project]\nname = 'x'\n")

    assert options(tmp_path) == Probe()


def test_the_file_is_over_the_defaults(tmp_path):
    project(tmp_path, "[tool.clamp-analytics.drift]\nalpha = 0.01\nmethod = 'none'\nstrict = true\nlabel = 'x'\n")

    assert options(tmp_path) == Probe(alpha=0.01, method=Method.NONE, strict=True, label="x")


def test_the_command_line_is_over_the_file(tmp_path):
    project(tmp_path, "[tool.clamp-analytics.drift]\nalpha = 0.01\nmin_sessions = 20\n")

    assert options(tmp_path, {"alpha": 0.2, "min_sessions": None}) == Probe(alpha=0.2, min_sessions=20)


def test_a_mapping_is_layered_by_its_keys(tmp_path):
    project(tmp_path, "[tool.clamp-analytics.drift.floors]\nb = 3\nc = 4.0\n")

    assert options(tmp_path, {"floors": {"c": 5.0}}).floors == {"a": 1.0, "b": 3.0, "c": 5.0}


def test_a_mapping_of_the_command_line_keeps_the_defaults_of_other_keys(tmp_path):
    assert options(tmp_path, {"floors": {"b": 9.0}}).floors == {"a": 1.0, "b": 9.0}


def test_a_key_may_be_written_with_hyphens(tmp_path):
    project(tmp_path, "[tool.clamp-analytics.drift]\nmin-sessions = 12\n")

    assert options(tmp_path).min_sessions == 12


def test_a_whole_number_does_where_a_fraction_is_asked_for(tmp_path):
    project(tmp_path, "[tool.clamp-analytics.drift.floors]\na = 2\n")

    assert options(tmp_path).floors["a"] == 2.0


def test_the_nearest_file_with_the_table_is_taken(tmp_path):
    project(tmp_path, "[tool.clamp-analytics.drift]\nalpha = 0.3\n")
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    project(tmp_path / "a", "[tool.clamp-analytics.drift]\nalpha = 0.2\n")
    project(tmp_path / "a" / "b", "[tool.other]\nalpha = 0.1\n")

    assert options(tmp_path / "a" / "b" / "c").alpha == 0.2


@pytest.mark.parametrize(
    "text, where, what, hint",
    [
        ("[tool.clamp-analytics.drfit]", "[tool.clamp-analytics]", "there is no table 'drfit'", "did you mean drift?"),
        ("[tool.clamp-analytics.drift]\nalhpa = 1", "[tool.clamp-analytics.drift]", "no key 'alhpa'", "mean alpha?"),
        ("[tool.clamp-analytics.drift]\nzzz = 1", "[tool.clamp-analytics.drift]", "no key 'zzz'", "one of alpha, "),
        (
            "[tool.clamp-analytics.drift]\nalpha = '0.1'",
            "[tool.clamp-analytics.drift] alpha",
            "expected float, got str",
            "",
        ),
        (
            "[tool.clamp-analytics.drift]\nmin-sessions = true",
            "[tool.clamp-analytics.drift] min-sessions",
            "expected int, got bool",
            "",
        ),
        (
            "[tool.clamp-analytics.drift]\nmin_sessions = 1.5",
            "[tool.clamp-analytics.drift] min_sessions",
            "expected int, got float",
            "",
        ),
        (
            "[tool.clamp-analytics.drift]\nmethod = 'krenel'",
            "[tool.clamp-analytics.drift] method",
            "invalid enum value 'krenel'",
            "",
        ),
        ("[tool.clamp-analytics.drift]\nmin_sessions=11\nalpha = 7", "drift] alpha", "must be between 0 and 1", ""),
        ("[tool.clamp-analytics.drift]\nmin_sessions=1\nmin-sessions=1", "drift] min-sessions", "given twice", ""),
        ("[tool]\nclamp-analytics = 3", "[tool.clamp-analytics]", "must be a table, not 3", ""),
        ("[tool.clamp-analytics]\ndrift = 3", "[tool.clamp-analytics.drift]", "must be a table, not 3", ""),
        ("[tool.clamp-analytics.drift.floors]\na = 'x'", "[tool.clamp-analytics.drift] floors", "expected float", ""),
    ],
)
def test_a_fault_in_a_file_is_named_with_its_table_and_key(tmp_path, text, where, what, hint):
    project(tmp_path, text)

    error = refusal(tmp_path)

    assert "pyproject.toml " in error.where
    assert error.where.endswith(where)
    assert what in error.what
    assert hint in error.hint


def test_a_file_that_is_not_toml_is_named(tmp_path):
    project(tmp_path, "[tool\n")

    assert refusal(tmp_path).what.startswith("is not TOML: ")


def test_a_file_that_is_not_utf_8_is_named(tmp_path):
    (tmp_path / "pyproject.toml").write_bytes(b"\xff")

    assert refusal(tmp_path).what.startswith("is not TOML: ")


def test_values_that_make_sense_only_together_are_judged_together(tmp_path):
    project(tmp_path, "[tool.clamp-analytics.drift]\nlow = 8\nhigh = 9\n")

    assert layer_options("drift", Span, {}, read_settings(tmp_path)) == Span(8, 9)


def test_values_that_exclude_each_other_are_reported_for_the_table(tmp_path):
    project(tmp_path, "[tool.clamp-analytics.drift]\nlow = 2\nhigh = 1\n")

    with pytest.raises(UsageError) as caught:
        layer_options("drift", Span, {}, read_settings(tmp_path))
    assert caught.value.where.endswith("pyproject.toml [tool.clamp-analytics.drift]")


def test_a_wrong_value_of_the_command_line_is_not_blamed_on_the_file(tmp_path):
    project(tmp_path, "[tool.clamp-analytics.drift]\nalpha = 0.01\n")

    assert refusal(tmp_path, {"alpha": 7.0}).where == "alpha 7.0"


def test_drift_and_compare_have_the_defaults_that_the_help_of_their_shared_options_shows():
    shared = ("alpha",)

    assert [getattr(DriftOptions(), name) for name in shared] == [getattr(CompareOptions(), name) for name in shared]


@pytest.mark.parametrize("command", ["drift", "compare", "calibrate", "seeds"])
def test_help_shows_defaults_and_loads_no_engine(command):
    code = (
        "import sys; from typer.testing import CliRunner; from clamp_analytics.cli import make_app; "
        f"shown = CliRunner().invoke(make_app(), ['{command}', '--help']).output; "
        "assert '[default: 0' in shown, shown; "
        "print(*[name for name in ('polars', 'numpy', 'scipy', 'duckdb') if name in sys.modules])"
    )

    done = run_python(code)
    assert (done.stdout.split(), done.stderr) == ([], b"")


def test_a_wrong_key_ends_the_command_with_a_hint(clamp, clean, tmp_path):
    project(tmp_path, "[tool.clamp-analytics.drift]\nalhpa = 0.01\n")

    done = clamp("drift", clean)

    assert done.code == 2
    assert "error: pyproject.toml [tool.clamp-analytics.drift]: there is no key 'alhpa'" in done.err
    assert "did you mean alpha?" in done.err


def test_a_bare_day_is_its_first_moment(tmp_path):
    project(tmp_path, "[tool.clamp-analytics.drift]\nsince = 2026-05-01\n")

    assert layer_options("drift", DriftOptions, {}, read_settings(tmp_path)).since == datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "own", "in_file", "of_dask", "chosen"),
    [
        ("tcp://a:1", "tcp://b:2", "tcp://c:3", "tcp://d:4", "tcp://a:1"),
        (None, "tcp://b:2", "tcp://c:3", "tcp://d:4", "tcp://b:2"),
        (None, None, "tcp://c:3", "tcp://d:4", "tcp://c:3"),
        (None, None, None, "tcp://d:4", "tcp://d:4"),
        (None, None, None, None, ""),
        (None, "", "tcp://c:3", "tcp://d:4", ""),
    ],
)
def test_the_first_address_of_a_cluster_that_is_set_is_used(
    given, own, in_file, of_dask, chosen, tmp_path, monkeypatch
):
    for name, value in (("CLAMP_CLUSTER", own), ("DASK_SCHEDULER_ADDRESS", of_dask)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    cluster = "" if in_file is None else f'cluster = "{in_file}"'
    (tmp_path / "pyproject.toml").write_text(f"[tool.clamp-analytics]\n{cluster}\n")

    assert cluster_address(given, read_settings(tmp_path)) == chosen


def test_an_address_in_the_file_must_be_a_text(tmp_path, monkeypatch):
    monkeypatch.delenv("CLAMP_CLUSTER", raising=False)
    (tmp_path / "pyproject.toml").write_text("[tool.clamp-analytics]\ncluster = 8786\n")

    with pytest.raises(UsageError, match=r"\[tool.clamp-analytics\] cluster: expected str"):
        cluster_address(None, read_settings(tmp_path))
