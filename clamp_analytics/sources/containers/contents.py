"""Zip, tar and compressed files as sources: their members one by one, never unpacked to disk.

No member is returned before the container is checked as a whole. A zip is checked by its directory, and each of its
members by its own checksum. A stream is decompressed to its end first, and a second time if it holds too much to be
kept in memory.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator

from clamp_analytics.path_names import INSIDE, EscapedName, display_name, member_name, source_name
from clamp_analytics.sources.containers import tars, zip_salvage, zips
from clamp_analytics.sources.containers.codecs import Raw, stream_of
from clamp_analytics.sources.containers.compressed import check_head, read_session
from clamp_analytics.sources.containers.limits import (
    DEFAULT_LIMITS,
    Budget,
    ContainerLimits,
    DamagedError,
    RefusedError,
)
from clamp_analytics.sources.containers.members import (
    LazyMember,
    Member,
    Rejected,
    Skipped,
)
from clamp_analytics.sources.files import UnreadableError, open_regular, reason_of
from clamp_analytics.sources.names import (
    ENDINGS,
    SHRINKS,
    Codec,
    Form,
    MemberFilter,
    MemberKind,
    ending_of,
    split_member,
)

_OVERHEAD_BYTES = 500
"""What Python adds to each member that is kept."""


def read_container(
    path: str, limits: ContainerLimits = DEFAULT_LIMITS, *, salvage: bool = False
) -> Iterator[Member | Rejected | Skipped]:
    """Read the members of a container.

    Args:
        path: the container, or a member of one as ``artifact.zip!/telemetry/x.json``, or a folder in one.
        limits: how much it may hold.
        salvage: whether the whole members of a cut or damaged container are kept, instead of none of them.

    Yields:
        The members that are session files by their name, in the order of a zip's names or of a tar itself; what is
        rejected, among them the container itself where it is damaged, deceptive or too large; and at its end how many
        entries were passed over.
    """
    for found in open_container(path, limits, salvage=salvage):
        yield _read(found) if isinstance(found, LazyMember) else found


def open_container(
    path: str, limits: ContainerLimits = DEFAULT_LIMITS, *, salvage: bool = False
) -> Iterator[Member | LazyMember | Rejected | Skipped]:
    """Like ``read_container``, but a member that can be read on its own is given as a ``LazyMember``."""
    outer, only = split_member(path) or (path, "")
    yield from _contents(outer, only, lambda: open_regular(outer), limits, salvage=salvage)


def read_packed(
    path: str, only: str, data: bytes, limits: ContainerLimits = DEFAULT_LIMITS, *, salvage: bool = False
) -> Iterator[Member | Rejected | Skipped]:
    """What a container in memory holds.

    Args:
        path: the path or URL of the container.
        only: the only member or folder that is asked for; empty for all.
        data: its bytes.
        limits: how much it may hold.
        salvage: whether the intact members of a damaged container are read.
    """
    raw = io.BytesIO(data)
    for found in _contents(path, only, lambda: raw, limits, salvage=salvage):
        yield _read(found, raw) if isinstance(found, LazyMember) else found


def _read(member: LazyMember, raw: Raw | None = None) -> Member | Rejected:
    try:
        return Member(member.source, member.read(raw))
    except UnreadableError as error:
        return Rejected(member.source, error.rule, str(error))


def _contents(
    outer: str, only: str, open_raw: Callable[[], Raw], limits: ContainerLimits, *, salvage: bool
) -> Iterator[Member | LazyMember | Rejected | Skipped]:
    form, codec = ENDINGS[ending_of(outer)]
    container = EscapedName(source_name(outer))
    named = EscapedName(container + INSIDE + display_name(only)) if only else container
    given: set[str] = set()
    try:
        with open_raw() as raw:
            if form is Form.SESSION:
                yield LazyMember(container, outer, raw.seek(0, io.SEEK_END) * SHRINKS, None, limits)
                return
            walk = _Walk(outer, raw.seek(0, io.SEEK_END), limits, salvage=salvage)
            member_filter = MemberFilter(only)
            for found in walk.container(container, raw, form, codec, member_filter):
                if only and isinstance(found, Rejected) and found.source == container:
                    if named in given:
                        # The requested member was salvaged; the damage is elsewhere.
                        continue
                    found = found._replace(source=named)
                elif only and not isinstance(found, Skipped):
                    given.add(found.source)
                yield found
            if only and not walk.met:
                yield Rejected(named, UnreadableError.rule, "the container has no such member")
    except UnreadableError as error:
        yield Rejected(named, error.rule, str(error))
    except OSError as error:
        yield Rejected(named, UnreadableError.rule, reason_of(error))


class _Walk:
    """One container on disk and what is taken out of it, inner containers included."""

    def __init__(self, path: str, packed_bytes: int, limits: ContainerLimits, *, salvage: bool) -> None:
        self._path = path
        self._packed_bytes = packed_bytes
        self._limits = limits
        self._salvage = salvage
        # Inner containers share one budget: a bomb does not grow by being spread over many of them.
        self._inner = Budget(limits, packed_bytes)
        self.met = False

    def container(
        self, name: EscapedName, raw: Raw, form: Form, codec: Codec, member_filter: MemberFilter, *, inner: bool = False
    ) -> Iterator[Member | LazyMember | Rejected | Skipped]:
        """What a container holds; where it is rejected, that and nothing else."""
        skipped: Counter[str] = Counter()
        try:
            check_head(raw, form, codec)
            if form is Form.ZIP:
                yield from self._zip(name, raw, member_filter, skipped, inner=inner)
            else:
                yield from self._tar(name, raw, codec, member_filter, skipped, inner=inner)
        except UnreadableError as error:
            self.met = True
            yield Rejected(name, error.rule, str(error))
        if skipped:
            yield Skipped(skipped)

    def _budget(self, *, inner: bool) -> Budget:
        return self._inner if inner else Budget(self._limits, self._packed_bytes)

    def _zip(
        self, name: EscapedName, raw: Raw, member_filter: MemberFilter, skipped: Counter[str], *, inner: bool
    ) -> Iterator[Member | LazyMember | Rejected | Skipped]:
        file = zips.RandomAccessFile(raw)
        try:
            members = zips.directory(file, MemberFilter(member_filter.only), self._budget(inner=inner))
        except DamagedError:
            if not self._salvage:
                raise
            for member, content in zip_salvage.intact_members(file, member_filter, self._budget(inner=inner)):
                yield from self._results(name, member.name, member.kind, member, content, member_filter, skipped, inner)
            raise
        for member in members:
            source = member_name(name, member.name)
            if member.kind is MemberKind.SESSION and not member.refused and not inner:
                self.met = True
                yield LazyMember(source, self._path, member.size, member, self._limits)
                continue
            data = None
            if member.kind not in (MemberKind.OTHER, MemberKind.NOT_ASKED) and not member.refused:
                try:
                    data = zips.read_member(file, member)
                except UnreadableError as error:
                    self.met = True
                    yield Rejected(source, error.rule, str(error))
                    continue
            yield from self._results(name, member.name, member.kind, member, data, member_filter, skipped, inner)

    def _tar(
        self,
        name: EscapedName,
        raw: Raw,
        codec: Codec,
        member_filter: MemberFilter,
        skipped: Counter[str],
        *,
        inner: bool,
    ) -> Iterator[Member | LazyMember | Rejected | Skipped]:
        room = _Room(self._limits.kept_bytes)
        kept: list[tars.TarEntry] = []
        damage: DamagedError | None = None
        budget = self._budget(inner=inner)
        try:
            for entry in tars.entries(stream_of(raw, codec, budget), MemberFilter(member_filter.only), budget, room):
                if room.left < 0:
                    kept.clear()
                else:
                    kept.append(entry)
        except DamagedError as error:
            if not self._salvage:
                raise
            damage = error
        entries: Iterator[tars.TarEntry] = iter(kept)
        if room.left < 0:
            # What it holds was counted; the second time costs no more of what inner containers may take.
            again = Budget(self._limits, self._packed_bytes)
            entries = tars.entries(
                stream_of(raw, codec, again), MemberFilter(member_filter.only), again, lambda _: True
            )
        try:
            for entry in entries:
                yield from self._results(name, entry.name, entry.kind, entry, entry.data, member_filter, skipped, inner)
        except DamagedError as error:
            # The first pass found no damage, unless it is already known.
            damage = damage or error
        if damage is not None:
            raise damage

    def _results(
        self,
        container: EscapedName,
        name: str,
        kind: MemberKind,
        entry: tars.TarEntry | zips.ZipEntry,
        data: bytes | None,
        member_filter: MemberFilter,
        skipped: Counter[str],
        inner: bool,
    ) -> Iterator[Member | LazyMember | Rejected | Skipped]:
        """The results for one member."""
        if kind is MemberKind.NOT_ASKED:
            return
        if kind is MemberKind.OTHER:
            skipped[entry.reason] += 1
            return
        self.met = True
        source = member_name(container, name)
        if entry.refused or data is None:
            yield Rejected(source, RefusedError.rule, entry.reason)
        elif kind is MemberKind.SESSION:
            yield Member(source, data)
        elif kind is MemberKind.COMPRESSED:
            try:
                yield Member(source, read_session(name, io.BytesIO(data), self._limits, self._inner))
            except UnreadableError as error:
                yield Rejected(source, error.rule, str(error))
        elif inner:
            yield Rejected(source, RefusedError.rule, "it is a container in a container in a container")
        else:
            form, codec = ENDINGS[ending_of(name)]
            yield from self.container(
                source, io.BytesIO(data), form, codec, MemberFilter(member_filter.rest(name)), inner=True
            )


class _Room:
    """Memory for members that are kept until their container is checked to its end."""

    def __init__(self, size: int) -> None:
        self.left = size

    def __call__(self, size: int) -> bool:
        if self.left >= 0:
            self.left -= size + _OVERHEAD_BYTES
        return self.left >= 0
