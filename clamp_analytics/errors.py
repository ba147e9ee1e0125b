"""The errors that the package raises on purpose.

    ClampError
    ├── UsageError     a call or an option is wrong
    ├── SourceError    nothing usable could be read
    ├── OutputError    a result could not be written
    ├── QueryError     an SQL query was refused or failed
    ├── WorkerError    a worker or a cluster failed
    └── AnchorError    an anchor was used out of order

Each error says what is wrong, where, and what the user can do about it. An error that several callers raise has a
class method that builds it, so that its message and hint are written once. The command line maps classes to exit codes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from clamp_analytics.path_names import display_name
from clamp_analytics.wording import os_error_reason

if TYPE_CHECKING:
    import os
    from typing import Self


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

    @classmethod
    def from_os_error(cls, what: str, error: OSError, *, where: str = "", hint: str = "") -> Self:
        """An error for a refusal of the operating system; ``what`` is completed by the reason that the system gives."""
        return cls(f"{what}: {os_error_reason(error)}", where=where, hint=hint)


def _rebuild(kind: type[ClampError], what: str, where: str, hint: str) -> ClampError:
    return kind(what, where=where, hint=hint)


class UsageError(ClampError):
    """The call itself is wrong: an option, a parameter, a combination of them."""

    @classmethod
    def unknown(cls, kind: str, name: str, known: Collection[str], *, where: str = "", otherwise: str = "") -> Self:
        """A name that does not exist.

        Args:
            kind: what it is the name of, such as ``metric``.
            name: the wrong name.
            known: the names that exist; the hint offers the nearest one.
            where: the option or file that has the name.
            otherwise: the hint where no name is near; by default the known names.
        """
        hint = did_you_mean(name, known, otherwise or f"one of {', '.join(known)}")
        return cls(f"there is no {kind} {name!r}", where=where, hint=hint)

    @classmethod
    def not_installed(cls, packages: Collection[str], *extras: str) -> Self:
        """Packages that are missing, and the extras that install them."""
        verb = "is" if len(packages) == 1 else "are"
        what = f"{' and '.join(packages)} {verb} not installed"
        return cls(what, hint=f"pip install 'clamp-analytics[{','.join(extras)}]'")


class SourceError(ClampError):
    """Nothing usable could be read from what was named as a source."""

    @classmethod
    def no_session_file(cls, directory: str) -> Self:
        """Sources in which there is no session file at all."""
        return cls("no session file was found", where=directory, hint="session files end in .json")

    @classmethod
    def empty_folder(cls, url: str) -> Self:
        """A folder of object storage has no objects."""
        return cls("there is no object below this folder", where=url, hint="check the bucket and the prefix")


class OutputError(ClampError):
    """A result could not be written; an existing file is unchanged."""

    @classmethod
    def exists(cls, path: str | os.PathLike[str], hint: str) -> Self:
        """A path that exists, where only a new file or folder may be created."""
        return cls("it exists already", where=display_name(path), hint=hint)


class QueryError(ClampError):
    """An SQL text was refused or failed."""


class WorkerError(ClampError):
    """A worker or a cluster failed; ``where`` names the files that were not read, or the cluster."""

    @classmethod
    def killed(cls, *, where: str = "") -> Self:
        """A worker that ended before its work was done."""
        what = "a worker ended before its work was done (killed, or out of memory)"
        return cls(what, where=where, hint="fewer workers need less memory: try 1 job")

    @classmethod
    def other_version(cls, found: str, expected: str, *, where: str = "") -> Self:
        """A worker with another version of this package, whose results could differ."""
        what = f"a worker has clamp-analytics {found}, and this is {expected}"
        return cls(what, where=where, hint="install the same version on all machines")


class AnchorError(ClampError):
    """An anchor was used out of order, or a record was given a value outside its range."""


def near_names(wrong: str, known: Iterable[str], most: int) -> list[str]:
    """The known names that are most similar to a wrong one, the nearest first; case is ignored."""
    # Few runs need it, and the recorder imports this module in every service.
    import difflib

    lowered = {name.lower(): name for name in known}
    return [lowered[name] for name in difflib.get_close_matches(wrong.lower(), lowered, n=most)]


def did_you_mean(wrong: str, known: Iterable[str], otherwise: str = "", most: int = 1) -> str:
    """A hint with the known names that are nearest to a wrong one; ``otherwise`` where none is similar."""
    near = near_names(wrong, known, most)
    return suggest(near) if near else otherwise


def suggest(names: Iterable[str]) -> str:
    """A hint that suggests some names."""
    return f"did you mean {' or '.join(names)}?"
