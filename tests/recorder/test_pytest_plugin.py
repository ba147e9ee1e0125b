"""The pytest plugin, in real test runs."""

import os
import subprocess
import sys

import pytest

TESTS = """
import pytest
from clamp_analytics.recorder import ClampAnchor

def test_good():
    with ClampAnchor("inside"):
        pass

def test_bad():
    assert False

def test_skipped():
    pytest.skip("not now")

@pytest.mark.xfail
def test_expected():
    assert False
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "test_sample.py").write_text(TESTS)

    def run(*options):
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-o", "addopts=", *options],
            cwd=tmp_path,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


# Autoloading is disabled, so the plugin is loaded once, whether or not its entry point is installed.
PLUGIN = ["-p", "clamp_analytics.recorder.pytest_plugin"]


@pytest.mark.parametrize("workers", [[], ["-p", "xdist", "-n", "2"]])
def test_a_run_writes_one_session_with_a_record_for_each_test(run, sessions, tmp_path, workers):
    done = run(*PLUGIN, *workers, "--clamp-telemetry", "out")

    assert "1 failed, 1 passed, 1 skipped, 1 xfailed" in done.stdout
    assert "session written to" in done.stdout
    [session] = sessions(tmp_path / "out")
    scores = {record["context"]: record["stability_score"] for record in session["records"]}
    assert scores == {
        "test_sample.py::test_good": 1.0,
        "inside": 1.0,
        "test_sample.py::test_bad": 0.0,
        "test_sample.py::test_skipped": 1.0,
        "test_sample.py::test_expected": 1.0,
    }
    assert len(session["records"]) == 5


def test_a_folder_that_cannot_be_written_is_reported_and_the_exit_code_stays(run, tmp_path):
    (tmp_path / "file").write_text("")
    done = run(*PLUGIN, "--clamp-telemetry", "file/out", "-k", "good")

    assert done.returncode == 0
    assert "the session was not written" in done.stdout


def test_without_the_option_nothing_is_written_or_imported(run, tmp_path):
    (tmp_path / "test_sample.py").write_text("""
import sys
def test_nothing_is_loaded():
    loaded = [name for name in sys.modules if name.startswith("clamp_analytics.recorder.")]
    assert loaded == ["clamp_analytics.recorder.pytest_plugin"]
""")
    done = run(*PLUGIN)

    assert done.returncode == 0, done.stdout
    assert "clamp telemetry" not in done.stdout
