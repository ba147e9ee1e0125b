"""Atomic writes: a file is either what it was or what it is to be, at every moment."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from clamp_analytics.errors import OutputError


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file by way of a hidden one beside it, flushed to disk and then renamed.

    Raises:
        OutputError: the system refuses; what stood at ``path`` is untouched.
    """
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # A temporary file is private; the result gets the rights that any new file would have.
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise OutputError(
            f"cannot be written: {(error.strerror or str(error)).lower()}",
            where=str(path),
            hint="choose another place with -o",
        ) from error
