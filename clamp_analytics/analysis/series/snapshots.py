"""Digests of the provenance snapshots of sessions, which tell the build that a session was recorded with."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

SNAPSHOT = "rocm_snapshot.json"
"""The name of the snapshot of a build, in the folder of its sessions or beside that folder."""

SNAPSHOT_FIELDS = ("build_info", "buildInfo")
"""Top-level fields of a session file that hold its own snapshot."""

DIGITS = 12
"""Hexadecimal digits of the hash of a snapshot that does not name the digest of its image."""


def snapshot_digests(sources: Sequence[str], extra: Sequence[str | None]) -> list[str | None]:
    """The digest of the snapshot of each session: its own, else that of the file beside it; None where there is none.

    Args:
        sources: the source of each session. Only files on this machine have a snapshot beside them.
        extra: the unknown fields of each session, as a JSON object.
    """
    beside = lru_cache(maxsize=None)(_digest_beside)
    return [
        _own_digest(fields) or beside(os.path.dirname(source)) for source, fields in zip(sources, extra, strict=True)
    ]


def _own_digest(extra: str | None) -> str | None:
    if extra is None or not any(name in extra for name in SNAPSHOT_FIELDS):
        return None
    fields = json.loads(extra, parse_int=str)
    snapshot = next((fields[name] for name in SNAPSHOT_FIELDS if isinstance(fields.get(name), dict)), None)
    return None if snapshot is None else _digest(snapshot, json.dumps(snapshot, sort_keys=True).encode())


def _digest_beside(folder: str) -> str | None:
    home = Path(folder).absolute()
    for path in (home / SNAPSHOT, home.parent / SNAPSHOT):
        if path.is_file():
            content = path.read_bytes()
            return _digest(_parsed(content), content)
    return None


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        # Clamp does not validate snapshots, and one that is not JSON still differs from others.
        return None


def _digest(snapshot: Any, content: bytes) -> str:
    named = snapshot.get("digest") if isinstance(snapshot, dict) else None
    return named if isinstance(named, str) else hashlib.sha256(content).hexdigest()[:DIGITS]
