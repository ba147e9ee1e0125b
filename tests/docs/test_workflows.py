"""The GitHub workflows, the action and the pre-commit hooks are valid, and say what the project says elsewhere."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from clamp_analytics import __version__

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def check(schema: str, *files: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def read(path: str):
    return yaml.safe_load((ROOT / path).read_text("utf-8"))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_matches_the_schema_of_workflows(workflow):
    assert check("vendor.github-workflows", workflow) == (0, "ok -- validation done\n")


def test_the_action_matches_the_schema_of_actions():
    assert check("vendor.github-actions", ROOT / "action.yml") == (0, "ok -- validation done\n")


def test_the_workflow_of_the_guide_matches_the_schema_of_workflows(tmp_path):
    page = (ROOT / "docs" / "guides" / "github-actions.md").read_text("utf-8")
    workflow = page.split(":caption: .github/workflows/telemetry.yml\n")[1].split("```")[0]
    (tmp_path / "telemetry.yml").write_text(workflow, "utf-8")

    assert check("vendor.github-workflows", tmp_path / "telemetry.yml") == (0, "ok -- validation done\n")


@pytest.mark.parametrize("page", ["guides/github-actions.md", "tutorial.md"])
def test_the_workflow_of_a_page_uses_the_tag_of_this_version(page):
    text = (ROOT / "docs" / page).read_text("utf-8")

    assert re.findall(r"uses: OWNER/clamp_analytics@(.*)", text) == [f"v{__version__}"]


def test_a_workflow_with_a_misspelt_key_does_not_match(tmp_path):
    (tmp_path / "wrong.yml").write_text("on: push\njobs:\n  test:\n    run-on: ubuntu-latest\n    steps: []\n")

    code, _ = check("vendor.github-workflows", tmp_path / "wrong.yml")

    assert code == 1


def test_the_checks_run_on_every_python_that_the_package_names():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = [name.rpartition(" ")[2] for name in project["classifiers"] if name.startswith("Programming Language")]

    assert read(".github/workflows/checks.yml")["jobs"]["test"]["strategy"]["matrix"]["python"] == named


def test_only_the_publishing_job_gets_an_identity_token():
    jobs = read(".github/workflows/release.yml")["jobs"]

    assert [name for name, job in jobs.items() if "id-token" in job.get("permissions", {})] == ["publish"]


def test_publishing_needs_the_checks_and_every_build():
    jobs = read(".github/workflows/release.yml")["jobs"]

    assert set(jobs["publish"]["needs"]) == {"checks", "build", "kernel", "kernel-source"} == set(jobs) - {"publish"}


def test_every_hook_runs_a_tool_of_the_virtual_environment():
    hooks = [hook for repo in read(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]

    assert {Path(hook["entry"].split()[0]).name for hook in hooks} == {"ruff", "mypy", "check-jsonschema"}
    assert all(hook["entry"].startswith(".venv/bin/") for hook in hooks)
