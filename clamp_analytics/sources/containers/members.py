"""The contents of a container: members, some of which are read later, rejected members, and counts of skipped ones."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from clamp_analytics.path_names import EscapedName
from clamp_analytics.sources.containers.limits import ContainerLimits
from clamp_analytics.sources.files import UnreadableError, open_regular, reason_of

if TYPE_CHECKING:
    from clamp_analytics.sources.containers.codecs import Raw
    from clamp_analytics.sources.containers.zips import ZipEntry


class Member(NamedTuple):
    """A session file in a container, or a compressed session file.

    Attributes:
        source: its name: ``artifact.zip!/telemetry/x.json``.
        data: its bytes.
    """

    source: EscapedName
    data: bytes


class Rejected(NamedTuple):
    """A container, or one member of it, that is not read.

    Attributes:
        source: its name.
        rule: the rule that it breaks.
        why: what is wrong, as a part of a sentence.
    """

    source: EscapedName
    rule: str
    why: str


class Skipped(NamedTuple):
    """How many entries were skipped, by reason."""

    skipped: Counter[str]


@dataclass(frozen=True, slots=True)
class LazyMember:
    """A member that is read later, possibly in another process.

    Attributes:
        source: its name.
        path: the file on disk.
        size: its approximate size in bytes.
        member: which member of a zip it is; None for a compressed session file.
        limits: how large it may be.
    """

    source: EscapedName
    path: str
    size: int
    member: ZipEntry | None
    limits: ContainerLimits

    def read(self, container: Raw | None = None) -> bytes:
        """Its bytes.

        Args:
            container: the container, if it is open; else the file on disk is opened.

        Raises:
            UnreadableError: they are damaged, or too many.
        """
        # Most sources are plain files, which need none of this.
        from clamp_analytics.sources.containers import compressed, zips

        with nullcontext(container) if container else open_regular(self.path) as raw:
            try:
                if self.member is not None:
                    return zips.read_member(zips.RandomAccessFile(raw), self.member)
                return compressed.read_session(self.path, raw, self.limits)
            except OSError as error:
                raise UnreadableError(reason_of(error)) from error
