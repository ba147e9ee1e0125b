"""The versions that pyproject.toml allows, the versions that are pinned, and the job that tests the lowest ones."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
REQUIREMENTS = [
    requirement
    for requirement in map(
        Requirement, [*PROJECT["dependencies"], *(text for extra in EXTRAS.values() for text in extra)]
    )
    if requirement.name != PROJECT["name"]
]
PINS = {
    canonicalize_name(name): version
    for name, _, version in (
        line.partition("==") for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if "==" in line
    )
}


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_a_requirement_has_a_lowest_version_and_allows_the_pinned_one(requirement: Requirement) -> None:
    assert any(bound.operator == ">=" for bound in requirement.specifier)
    assert requirement.specifier.contains(PINS[canonicalize_name(requirement.name)])


def test_the_checks_run_the_core_of_the_tests_on_the_lowest_versions() -> None:
    checks = yaml.safe_load((ROOT / ".github" / "workflows" / "checks.yml").read_text("utf-8"))
    commands = [step["run"] for step in checks["jobs"]["floors"]["steps"] if "run" in step]
    recipe = (ROOT / "Makefile").read_text("utf-8").partition("\nfloors:")[2].partition("\n\n")[0]

    assert commands == ["make floors"]
    assert "--resolution lowest-direct '.[charts,cloud,drift,watch]'" in recipe
    assert "-m pytest -n auto $(CORE)" in recipe
