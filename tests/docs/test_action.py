"""The scripts of the GitHub action, run with the real command line."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
STEPS = {step["id"]: step for step in ACTION["runs"]["steps"]}
CLEAN, DRIFTING, FAULTY = (ROOT / "data" / "samples" / name for name in ("clean", "drifting", "faulty"))

GH = """#!/usr/bin/env bash
# Stands in for the GitHub CLI: lists the ids of the comments that exist, and keeps what is sent.
printf '%s\\n' "$*" >> "$GH_CALLS"
if [[ "$*" == *--paginate* ]]; then printf '%s\\n' $GH_COMMENTS; fi
"""


class Job:
    """Runs steps of the action as GitHub does: in one folder, with inputs, and with outputs of earlier steps."""

    def __init__(self, folder: Path, **inputs: str) -> None:
        self.folder = folder
        self.temp = folder / "temp"
        self.temp.mkdir()
        tool = self.temp / "clamp-analytics" / "bin"
        tool.mkdir(parents=True)
        (tool / "clamp-analytics").symlink_to(Path(sys.executable).parent / "clamp-analytics")
        self.summary = folder / "job-summary.md"
        defaults = {f"inputs.{name}": given["default"] for name, given in ACTION["inputs"].items()}
        given = {f"inputs.{name.replace('_', '-')}": value for name, value in inputs.items()}
        self.values = {**defaults, **given, "runner.temp": str(self.temp), "github.event.pull_request.number": "7"}

    def run(self, step: str, **environment: str) -> subprocess.CompletedProcess[str]:
        output = self.folder / "output"
        output.write_text("")
        named = {name: self._resolve(value) for name, value in STEPS[step]["env"].items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[step]["run"]],
            cwd=self.folder,
            env={
                "PATH": "/usr/bin:/bin",
                "GITHUB_OUTPUT": str(output),
                "GITHUB_STEP_SUMMARY": str(self.summary),
                "GITHUB_REPOSITORY": "owner/project",
                **named,
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        for line in output.read_text().splitlines():
            name, _, value = line.partition("=")
            self.values[f"steps.{step}.outputs.{name}"] = value
        return done

    def output(self, step: str, name: str) -> str:
        return self.values[f"steps.{step}.outputs.{name}"]

    def _resolve(self, text: str) -> str:
        return re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda found: self.values.get(found[1], ""), text)


@pytest.fixture
def job(tmp_path):
    return lambda **inputs: Job(tmp_path, **inputs)


def test_ingest_adds_the_sessions_of_each_line(job, tmp_path):
    done = job(sessions=f"{CLEAN}\n\n{DRIFTING}\n").run("ingest")

    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith("telemetry.duckdb: 40 seen = 40 new + 0 known + 0 rejected + 0 skipped\n")
    assert (tmp_path / "telemetry.duckdb").is_file()


def test_ingest_adds_to_the_archive_that_the_cache_restored(job):
    restored = job(sessions=str(CLEAN))
    restored.run("ingest")

    done = restored.run("ingest", SESSIONS=f"{CLEAN}\n{DRIFTING}")

    assert "40 seen = 30 new + 10 known + 0 rejected + 0 skipped" in done.stderr


def test_ingest_takes_a_path_with_blanks(job, tmp_path):
    shutil.copytree(CLEAN, tmp_path / "my runs")

    done = job(sessions="my runs").run("ingest")

    assert "10 seen = 10 new" in done.stderr


def test_ingest_fails_without_session_files(job):
    assert job(sessions="absent").run("ingest").returncode == 3


def test_violations_are_annotated_and_the_step_succeeds(job):
    faulty = job(sessions=str(FAULTY))

    done = faulty.run("validate")

    assert done.returncode == 0
    assert "title=score-range::" in done.stdout
    assert faulty.output("validate", "exit-code") == "1"


def test_a_wrong_severity_fails_the_validation_itself(job):
    assert job(sessions=str(CLEAN), fail_on_violations="severe").run("validate").returncode != 0


def test_a_regression_is_annotated_and_summarized_and_the_step_succeeds(job):
    drifting = job(sessions=str(DRIFTING), metrics="mean_stability\nduration_p50_ms\n")
    drifting.run("ingest")

    done = drifting.run("drift")

    assert done.returncode == 0, done.stderr
    assert "::error" in done.stdout
    assert drifting.output("drift", "exit-code") == "1"
    assert "upload-queue" in drifting.summary.read_text("utf-8")


@pytest.mark.parametrize("within, code", [("10", "0"), ("20", "1")])
def test_a_regression_that_is_not_recent_does_not_fail_the_job(job, within, code):
    drifting = job(sessions=str(DRIFTING), metrics="duration_p50_ms", changed_within=within)
    drifting.run("ingest")

    done = drifting.run("drift")

    assert done.returncode == 0, done.stderr
    assert drifting.output("drift", "exit-code") == code


def test_a_known_change_does_not_fail_the_job(job, tmp_path):
    (tmp_path / "known.toml").write_text(
        """
        [[change]]
        group = { context = "upload-queue" }
        metric = "duration_p50_ms"
        direction = "worse"
        started_at = 2026-10-08T18:00:00Z
        reason = "the queue checks its bounds"
        decided_by = "Ada"
        """
    )
    drifting = job(sessions=str(DRIFTING), metrics="duration_p50_ms", known_changes="known.toml")
    drifting.run("ingest")

    done = drifting.run("drift")

    assert done.returncode == 0, done.stderr
    assert drifting.output("drift", "exit-code") == "0"


def test_a_first_run_passes(job):
    first = job(sessions=str(next(CLEAN.glob("*.json"))))

    codes = [first.run(step).returncode for step in ("ingest", "validate", "drift", "report", "gate")]

    assert codes == [0, 0, 0, 0, 0]
    assert first.output("gate", "passed") == "true"


def test_the_report_is_written_where_the_input_says(job, tmp_path):
    drifting = job(sessions=str(DRIFTING), report="out/report.html")
    (tmp_path / "out").mkdir()
    drifting.run("ingest")

    done = drifting.run("report")

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "report.html").read_text("utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    "violations, verdicts, passed", [("0", "0", "true"), ("1", "0", "false"), ("0", "1", "false"), ("1", "1", "false")]
)
def test_the_gate_fails_on_violations_and_on_verdicts(job, violations, verdicts, passed):
    judged = job()

    done = judged.run("gate", VIOLATIONS=violations, VERDICTS=verdicts)

    assert judged.output("gate", "passed") == passed
    assert done.returncode == (0 if passed == "true" else 1)
    assert done.stdout.count("::error") == int(violations) + int(verdicts)


@pytest.mark.parametrize(
    "existing, call",
    [
        ("", "api --silent --method POST repos/owner/project/issues/7/comments -F body=@"),
        ("41 42", "api --silent --method PATCH repos/owner/project/issues/comments/41 -F body=@"),
    ],
    ids=["posted", "updated"],
)
def test_the_comment_is_posted_once_and_then_updated(job, tmp_path, existing, call):
    commented = job(sessions=str(DRIFTING))
    (commented.temp / "clamp-summary.md").write_text("## Verdicts\n")
    gh = tmp_path / "bin" / "gh"
    gh.parent.mkdir()
    gh.write_text(GH)
    gh.chmod(0o755)

    done = commented.run(
        "comment",
        PATH=f"{gh.parent}:/usr/bin:/bin",
        GH_CALLS=str(tmp_path / "calls"),
        GH_COMMENTS=existing,
        REPORT_URL="https://example.com/report",
    )

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "calls").read_text().splitlines()[-1] == f"{call}{commented.temp}/clamp-comment.md"
    assert (commented.temp / "clamp-comment.md").read_text() == (
        "<!-- clamp-analytics -->\n## Verdicts\n\n[Report with charts](https://example.com/report)\n"
    )


def test_every_script_gets_inputs_through_its_environment_only():
    scripts = [step["run"] for step in STEPS.values() if "run" in step]

    assert [script for script in scripts if "${{" in script] == []


def test_a_pull_request_does_not_add_to_the_history():
    assert STEPS["save"]["if"] == "github.event_name != 'pull_request'"
