"""The docs say what is so: their commands run, their code runs, their generated parts are up to date."""

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted(path.relative_to(ROOT) for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
HAS_OWN_TEST = {Path("docs/recording.md")}


def generator():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture
def workplace(tmp_path):
    shutil.copytree(ROOT / "data", tmp_path / "data")
    shutil.copytree(ROOT / "data" / "samples" / "clean", tmp_path / "build" / "telemetry")
    return tmp_path


@pytest.mark.parametrize("page", generator().PAGES)
def test_generated_parts_are_up_to_date(page):
    stands, should = generator().page(page)

    assert stands == should, "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_commands_of_a_page_run(page, workplace):
    commands = [line[2:] for block in blocks(page, "console") for line in block.splitlines() if line.startswith("$ ")]
    ours = [command for command in commands if command.startswith(("clamp-analytics", "python "))]

    for command in ours:
        line = command.replace("clamp-analytics", f"{shlex.quote(sys.executable)} -m clamp_analytics", 1)
        line = re.sub(r"^python ", f"{shlex.quote(sys.executable)} ", line)
        done = subprocess.run(["bash", "-c", line], cwd=workplace, capture_output=True, text=True, check=False)
        # A failed check is an answer; wrong usage, nothing to read and tracebacks are not.
        assert done.returncode in (0, 1), f"{command}\n{done.stderr}"
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("page", [page for page in PAGES if page not in HAS_OWN_TEST], ids=str)
def test_python_of_a_page_runs(page, workplace):
    for block in blocks(page, "python"):
        done = subprocess.run([sys.executable, "-c", block], cwd=workplace, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{block}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_of_a_page_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text("utf-8"))

    missing = [link for link in links if not (ROOT / page.parent / link).exists()]

    assert missing == []
