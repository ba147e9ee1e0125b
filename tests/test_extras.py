"""Extras: one error names everything that is missing."""

from __future__ import annotations

import sys

import pytest

from clamp_analytics.errors import UsageError
from clamp_analytics.extras import PACKAGES, require_extras


def test_one_error_names_all_missing_packages_and_their_extras(monkeypatch):
    for names in PACKAGES.values():
        for name in names:
            # An import of a module that is None fails as if it was not installed.
            monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(UsageError, match="altair and vl_convert and numpy and scipy are not installed") as caught:
        require_extras("drift", "charts")

    assert caught.value.hint == "pip install 'clamp-analytics[charts,drift]'"


def test_only_the_extra_that_lacks_a_package_is_named(monkeypatch):
    for name in PACKAGES["drift"]:
        monkeypatch.setitem(sys.modules, name, type(sys)(name))
        sys.modules[name].__spec__ = sys.__spec__
    monkeypatch.setitem(sys.modules, "altair", None)
    monkeypatch.setitem(sys.modules, "vl_convert", None)

    with pytest.raises(UsageError) as caught:
        require_extras("drift", "charts")

    assert caught.value.hint == "pip install 'clamp-analytics[charts]'"
