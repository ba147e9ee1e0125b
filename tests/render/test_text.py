"""Names of groups."""

import pytest

from clamp_analytics.render.text import group_name


@pytest.mark.parametrize(
    "by, row, name",
    [
        (["context"], {"context": "a"}, "a"),
        (["context"], {"context": None}, "no context"),
        (["context", "backend"], {"context": "a", "backend": None}, "context a, no backend"),
        ([], {}, "all sessions"),
    ],
)
def test_a_group_is_named_by_its_values(by, row, name):
    assert group_name(row, by) == name
