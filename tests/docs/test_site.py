"""The documentation site builds without a warning."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet"]
    done = subprocess.run(
        [*build, "-d", str(folder / "doctrees"), "docs", str(folder / "html")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "html"


@pytest.mark.parametrize("page", ["index", "tutorial", "reference/commands", "reference/python", "decisions/index"])
def test_a_page_is_built(site, page):
    assert (site / f"{page}.html").is_file()


def test_the_site_loads_nothing_from_the_network(site):
    addresses = [
        line.strip()
        for path in site.rglob("*.html")
        for line in path.read_text("utf-8").splitlines()
        if "<script" in line or "<link" in line or "<img" in line
        if 'src="http' in line or 'href="http' in line
    ]

    assert addresses == []
