"""Addresses of sessions in the system that ran them, from a template such as ``https://ci.example/builds/{build}``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from clamp_analytics.errors import UsageError

_FIELD = re.compile(r"\{([^{}]+)\}")
_ADDRESS = re.compile(r"https?://[^\s<>()|]+")


class SessionLinks:
    """The addresses of sessions.

    Args:
        template: an address in which ``{source}`` is the path of a session, and ``{NAME}`` its label of that name;
            empty for no addresses.

    Raises:
        UsageError: the template is not an address, or has no field.
    """

    def __init__(self, template: str = "") -> None:
        self._template = template
        if template and not (_ADDRESS.fullmatch(template) and _FIELD.search(template)):
            raise UsageError(
                "it is not an address with a field in braces",
                where=f"--session-url {template}",
                hint="for example https://ci.example/builds/{build}, where build is a label",
            )

    def address(self, source: str, labels: Mapping[str, str]) -> str | None:
        """The address of a session; None without a template, or if the session has no label of that name."""
        values = {**labels, "source": source}
        fields = _FIELD.findall(self._template)
        if not fields or any(name not in values for name in fields):
            return None
        return _FIELD.sub(lambda field: quote(values[field[1]], safe="", errors="replace"), self._template)
