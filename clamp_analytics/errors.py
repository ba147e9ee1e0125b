"""The errors that the package raises on purpose.

Every one of them says what is wrong, where, and, as a hint, the way out.
Which exit code an error gets is decided in one place only, ``cli.py``.
"""

from __future__ import annotations

from collections.abc import Iterable


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


def near_names(wrong: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The known names that a wrong one may have been meant for, the nearest first; case makes no difference."""
    # Few runs need it, and the recorder imports this module in every service.
    import difflib

    lowered = {name.lower(): name for name in known}
    return [lowered[name] for name in difflib.get_close_matches(wrong.lower(), lowered, n=most)]


def did_you_mean(wrong: str, known: Iterable[str], otherwise: str = "") -> str:
    """A hint with the known name that is nearest to a wrong one, or else another hint."""
    near = near_names(wrong, known, 1)
    return f"did you mean {near[0]}?" if near else otherwise
