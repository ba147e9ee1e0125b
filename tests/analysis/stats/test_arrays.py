"""The statistics without numpy."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest

from tests.conftest import run_python

stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")

values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)
small = st.lists(st.integers(0, 5).map(float), min_size=1, max_size=8)
shares = st.lists(st.floats(0, 1), max_size=30)


def test_without_numpy_the_error_names_what_to_install():
    code = (
        "import sys; sys.modules['numpy'] = None\n"
        "try:\n  import clamp_analytics.analysis.stats.arrays\nexcept Exception as error:\n  print(error)"
    )

    assert b"pip install 'clamp-analytics[drift]'" in run_python(code).stdout
