"""The names that the package hands out."""

import subprocess
import sys
from pathlib import Path

import pytest

import clamp_analytics

CLEAN = Path(__file__).parent.parent / "data" / "samples" / "clean"


@pytest.mark.parametrize("name", clamp_analytics.__all__)
def test_every_name_is_there(name):
    assert getattr(clamp_analytics, name) is not None


@pytest.mark.parametrize(
    "code",
    [
        "import clamp_analytics as c; print(c.load(p).counts); c.load(p)",
        "from clamp_analytics import load; print(load(p).counts)",
        "from clamp_analytics.reading import load; print(load(p).counts)",
        "import clamp_analytics.reading; from clamp_analytics import load; print(load(p).counts)",
    ],
)
def test_load_can_be_called_however_it_is_imported(code):
    done = subprocess.run(
        [sys.executable, "-c", f"p = {str(CLEAN)!r}\n{code}"], capture_output=True, text=True, check=False
    )

    assert (done.stdout, done.stderr) == ("10 seen = 10 loaded + 0 rejected + 0 skipped\n", "")
