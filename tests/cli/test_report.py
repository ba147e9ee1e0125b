"""``clamp-analytics report`` as a user runs it."""

import re
import shutil

import pytest

pytest.importorskip("altair", reason="the charts extra is not installed")
pytest.importorskip("vl_convert", reason="the charts extra is not installed")
pytest.importorskip("scipy", reason="the drift extra is not installed")

from tests.cli.conftest import SAMPLES

DRIFTING = SAMPLES / "drifting"


def test_report_writes_one_html_file(clamp, tmp_path):
    done = clamp("report", DRIFTING, "-o", "report.html")

    assert (done.code, done.out) == (0, "")
    assert done.err == "wrote report.html\nfiles: 30 seen = 30 loaded + 0 rejected + 0 skipped\n"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_bytes().startswith(b"<!DOCTYPE html>")


def test_report_goes_to_standard_output(clamp, tmp_path):
    done = clamp("report", DRIFTING, "-o", "-")

    assert done.out.startswith("<!DOCTYPE html>")
    assert list(tmp_path.iterdir()) == []


def test_report_is_the_same_for_any_number_of_workers(clamp):
    assert len({clamp("report", DRIFTING, "-o", "-", "--jobs", jobs).out for jobs in (1, 2)}) == 1


def test_report_compares_with_a_baseline(clamp, clean):
    done = clamp("report", DRIFTING, "--baseline", clean, "-o", "-")

    assert done.code == 0
    assert "Baseline: 10 sessions; these sources: 30 sessions." in done.out


def test_report_takes_the_snapshot_beside_the_folder(clamp, clean, tmp_path):
    shutil.copytree(clean, tmp_path / "build" / "telemetry")
    (tmp_path / "build" / "rocm_snapshot.json").write_text('{"image": "rocm/dev"}')

    assert "rocm/dev" in clamp("report", "build/telemetry", "-o", "-").out


def test_report_shows_the_metrics_and_groups_that_are_named(clamp):
    shown = clamp("report", DRIFTING, "--metric", "in_flight", "--by", "thread_id", "-o", "-").out

    assert re.findall(r"<h3>(.*?)</h3>", shown)[0] == "Anchors without a usable release"
    assert "<strong><bdi>140154254907072</bdi></strong>" in shown


def test_report_takes_its_options_from_the_project(clamp, tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.clamp-analytics.drift.floors]\nduration_p95_ms = 0.25\n")

    assert "25 %" in clamp("report", DRIFTING, "-o", "-").out


def test_report_never_replaces_a_source(clamp, clean, tmp_path):
    shutil.copytree(clean, tmp_path / "runs")
    name = next((tmp_path / "runs").iterdir())
    before = name.read_bytes()

    done = clamp("report", "runs", "-o", name)

    assert done.code == 2
    assert "it is one of the sources" in done.err
    assert name.read_bytes() == before


@pytest.mark.parametrize("option", [(), ("--baseline",)])
def test_report_never_replaces_a_container_of_sources(clamp, clean, tmp_path, option):
    shutil.make_archive(str(tmp_path / "runs"), "zip", clean)
    before = (tmp_path / "runs.zip").read_bytes()

    done = clamp("report", *((DRIFTING, *option) if option else ()), "runs.zip", "-o", "runs.zip")

    assert done.code == 2
    assert "it is one of the sources" in done.err
    assert (tmp_path / "runs.zip").read_bytes() == before


def test_report_on_nothing_usable_ends_with_three(clamp, tmp_path):
    (tmp_path / "a.json").write_text("{")

    done = clamp("report", "a.json", "-o", "report.html")

    assert done.code == 3
    assert "no usable session" in done.err
    assert not (tmp_path / "report.html").exists()


def test_report_to_a_folder_that_is_not_there_ends_with_three(clamp):
    done = clamp("report", DRIFTING, "-o", "missing/report.html")

    assert done.code == 3
    assert "missing/report.html: cannot be written" in done.err


def test_report_offers_the_near_name_of_a_wrong_metric(clamp):
    done = clamp("report", DRIFTING, "--metric", "in-flight", "-o", "-")

    assert done.code == 2
    assert "did you mean in_flight?" in done.err
