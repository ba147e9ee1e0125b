"""Short forms for the tests of rewriting."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC)


def fields(data: bytes, *names: str) -> list[tuple[Any, ...]]:
    """Some fields of each record of a file, parsed by the standard library."""
    return [tuple(entry[name] for name in names) for entry in json.loads(data)["records"]]
