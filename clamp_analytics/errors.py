"""The errors that the package raises on purpose.

    ClampError
    ├── UsageError     a call or an option is wrong
    ├── SourceError    nothing usable could be read
    ├── OutputError    a result could not be written
    ├── QueryError     an SQL query was refused or failed
    ├── WorkerError    a worker process died
    └── AnchorError    an anchor was used out of order

Each error says what is wrong, where, and what the user can do about it. The command line maps classes to exit codes.
"""

from __future__ import annotations

from collections.abc import Iterable


class ClampError(Exception):
    """Base class of every error that the package raises on purpose.

    Attributes:
        what: one sentence that says what is wrong.
        where: the file, option, line or anchor that it concerns; may be empty.
        hint: what the user can do; may be empty.
    """

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.what = what
        self.where = where
        self.hint = hint
        super().__init__(what, where, hint)

    def __reduce__(self) -> tuple[object, ...]:
        # An error that is raised in a worker process is pickled.
        return _rebuild, (type(self), self.what, self.where, self.hint)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n  hint: {self.hint}" if self.hint else text


def _rebuild(kind: type[ClampError], what: str, where: str, hint: str) -> ClampError:
    return kind(what, where=where, hint=hint)


class UsageError(ClampError):
    """The call itself is wrong: an option, a parameter, a combination of them."""


class SourceError(ClampError):
    """Nothing usable could be read from what was named as a source."""


class OutputError(ClampError):
    """A result could not be written; an existing file is unchanged."""


class QueryError(ClampError):
    """An SQL text was refused or failed."""


class WorkerError(ClampError):
    """A worker process died; ``where`` names the files that it had."""


class AnchorError(ClampError):
    """An anchor was used out of order, or a record was given a value outside its range."""


def near_names(wrong: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The known names that are most similar to a wrong one, the nearest first; case is ignored."""
    # Few runs need it, and the recorder imports this module in every service.
    import difflib

    lowered = {name.lower(): name for name in known}
    return [lowered[name] for name in difflib.get_close_matches(wrong.lower(), lowered, n=most)]


def did_you_mean(wrong: str, known: Iterable[str], otherwise: str = "") -> str:
    """A hint that names the known name nearest to a wrong one; ``otherwise`` where none is similar."""
    near = near_names(wrong, known, 1)
    return f"did you mean {near[0]}?" if near else otherwise
