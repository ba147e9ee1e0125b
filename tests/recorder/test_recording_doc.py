"""The examples of docs/guides/record.md, run unchanged."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "guides" / "record.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^## (.*?)$|^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def _examples():
    title = "first"
    for heading, code in BLOCKS:
        title = heading or title
        if code:
            yield pytest.param(code, id=title)


@pytest.mark.parametrize("code", list(_examples()))
def test_every_example_runs_and_leaves_sessions(python, sessions, tmp_path, code):
    done = python(code)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sum(len(session["records"]) for session in sessions(tmp_path / "telemetry")) > 0


def test_each_kind_of_program_has_an_example():
    assert len(list(_examples())) == 4
