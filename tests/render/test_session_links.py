"""Addresses of sessions, from a template."""

import pytest

from clamp_analytics.errors import UsageError
from clamp_analytics.render.session_links import SessionLinks


def test_fields_are_the_path_and_the_labels_of_a_session():
    links = SessionLinks("https://ci.example/{build}?file={source}")

    assert links.address("a/run 1.json", {"build": "b-7"}) == "https://ci.example/b-7?file=a%2Frun%201.json"


def test_a_session_without_the_label_has_no_address():
    assert SessionLinks("https://ci.example/{build}").address("run.json", {"commit": "abc"}) is None


def test_there_is_no_address_without_a_template():
    assert SessionLinks().address("run.json", {}) is None


def test_a_label_cannot_leave_its_part_of_the_address():
    address = SessionLinks("https://ci.example/{build}").address("run.json", {"build": "a)/<b> \udc80|"})

    assert address == "https://ci.example/a%29%2F%3Cb%3E%20%3F%7C"


@pytest.mark.parametrize(
    "template", ["https://ci.example/", "javascript:{build}", "https://ci.example/ {build}", "{build}"]
)
def test_a_template_must_be_an_address_with_a_field(template):
    with pytest.raises(UsageError, match="not an address with a field"):
        SessionLinks(template)
