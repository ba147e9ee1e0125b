"""The errors that the package raises on purpose.

Every one of them says what is wrong, where, and, as a hint, the way out.
Which exit code an error gets is decided in one place only, ``cli.py``.
"""

from __future__ import annotations


class ClampError(Exception):
    """Base class of every error that the package raises on purpose.

    Attributes:
        what: one sentence that says what is wrong.
        where: the file, option, line or anchor it is about; empty where there is none.
        hint: what the user can do; empty where nothing helps.
    """

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.what = what
        self.where = where
        self.hint = hint
        super().__init__(what, where, hint)

    def __reduce__(self) -> tuple[object, ...]:
        # An error may be raised in a worker process and has to reach this one as itself.
        return _again, (type(self), self.what, self.where, self.hint)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n  hint: {self.hint}" if self.hint else text


def _again(kind: type[ClampError], what: str, where: str, hint: str) -> ClampError:
    return kind(what, where=where, hint=hint)


class UsageError(ClampError):
    """The call itself is wrong: an option, a parameter, a combination of them."""


class SourceError(ClampError):
    """Nothing usable could be read from what was named as a source."""


class OutputError(ClampError):
    """A result could not be written; what stood there before is untouched."""


class QueryError(ClampError):
    """An SQL text was refused or failed."""


class WorkerError(ClampError):
    """A worker process died; ``where`` names the files that it had."""


class AnchorError(ClampError):
    """An anchor was used out of turn, or a record was given a value outside its range."""
