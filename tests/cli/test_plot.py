"""``clamp-analytics plot`` as a user runs it."""

import shutil

import pytest

pytest.importorskip("altair", reason="the charts extra is not installed")
pytest.importorskip("vl_convert", reason="the charts extra is not installed")
pytest.importorskip("scipy", reason="the drift extra is not installed")

from tests.cli.conftest import SAMPLES

DRIFTING = SAMPLES / "drifting"


@pytest.mark.parametrize("name, start", [("a.png", b"\x89PNG"), ("b.SVG", b"<svg"), ("c.pdf", b"%PDF-")])
def test_plot_writes_the_kind_of_picture_that_its_name_says(clamp, tmp_path, name, start):
    done = clamp("plot", DRIFTING, "-o", name)

    assert (done.code, done.out) == (0, "")
    assert (tmp_path / name).read_bytes().startswith(start)


@pytest.mark.parametrize("name", ["drift.gif", "drift", "-", ".png.html"])
def test_plot_refuses_every_other_ending(clamp, tmp_path, name):
    done = clamp("plot", DRIFTING, "-o", name)

    assert done.code == 2
    assert "must end in .png, .svg or .pdf" in done.err
    assert list(tmp_path.iterdir()) == []


def test_plot_draws_the_metric_and_the_groups_that_are_named(clamp, tmp_path):
    done = clamp("plot", DRIFTING, "--metric", "duration_p95_ms", "--by", "none", "-o", "a.svg")

    assert done.err.splitlines()[-1].startswith("1 series drawn, 0 left out; files: 30 seen")
    assert "all records: 95th percentile of the durations" in (tmp_path / "a.svg").read_text()


def test_plot_says_how_many_series_it_leaves_out(clamp):
    done = clamp("plot", DRIFTING, "--metric", "mean_stability", "--limit", 2, "-o", "a.svg")

    assert "2 series drawn, 1 left out" in done.err


def test_plot_gives_the_same_bytes_every_time(clamp, tmp_path):
    clamp("plot", DRIFTING, "-o", "a.png")
    clamp("plot", DRIFTING, "-o", "b.png", "--jobs", 1)

    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_plot_of_nothing_usable_ends_with_three(clamp, tmp_path):
    (tmp_path / "a.json").write_text("{")

    assert clamp("plot", "a.json", "-o", "a.png").code == 3


def test_plot_of_sessions_without_a_timestamp_says_so(clamp, tmp_path):
    (tmp_path / "a.json").write_text('{"stability_score": 0.0, "records": []}')

    done = clamp("plot", "a.json", "-o", "a.png")

    assert done.code == 3
    assert "usable timestamp" in done.err


def test_plot_never_replaces_a_source(clamp, clean, tmp_path):
    shutil.copytree(clean, tmp_path / "runs")
    name = next((tmp_path / "runs").iterdir())
    named = name.rename(tmp_path / "session.png")

    done = clamp("plot", "session.png", "-o", "session.png")

    assert done.code == 2
    assert named.read_bytes().startswith(b"{")
