"""Find sessions that were read more than once: files with equal bytes, in folders, containers, exports and archives.

``RepeatedSessions`` reports them as violations after everything is read. ``SeenContents`` is for reading each content
once.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from clamp_analytics.batch import Batch
from clamp_analytics.path_names import EscapedName, source_name
from clamp_analytics.reading.task import EMPTY_LEDGER
from clamp_analytics.rules import BY_ID
from clamp_analytics.schema import VIOLATIONS, Status, empty_frame, polars_schema
from clamp_analytics.sources import UnreadableError
from clamp_analytics.sources.files import file_digest

REPEATED = "repeated session"
"""Why a session is skipped where each is to be read once."""

UNNAMED_AT_ONCE = 100_000
"""Violations without a name that are in memory at once."""

_SIZE = ["size_bytes", "record_count"]


@dataclass(frozen=True, slots=True)
class _Session:
    """A session that may have been read before.

    Attributes:
        path: its path; of a session in an export or archive, its source.
        digest: its SHA-256; None where the file must be hashed.
        store: the export or archive that it is in; empty for a file.
    """

    path: str
    digest: bytes | None
    store: str = ""

    @property
    def name(self) -> str:
        """Its name in messages."""
        return f"{source_name(self.path)} in {self.store}" if self.store else source_name(self.path)


class RepeatedSessions:
    """Collects what is known of each session, and finds those that were read more than once.

    Sessions with equal bytes have equal size, number of records and sum of seeds. Only files that agree in these are
    hashed; exports and archives hold the hash of each session.

    Args:
        hash_files: gives the SHA-256 of each file, or None where it cannot be read; by default they are read here.
    """

    def __init__(self, hash_files: Callable[[Sequence[str]], Iterable[bytes | None]] | None = None) -> None:
        self._hash_files = hash_files or file_digests
        self._paths: list[str] = []
        self._ledgers: list[pl.DataFrame] = []
        self._stored: list[pl.DataFrame] = []

    def add_files(self, paths: Iterable[str], ledger: pl.DataFrame) -> None:
        """Add session files, with the ledger of the task that read them."""
        self._paths += paths
        self._ledgers.append(ledger)

    def add_stored(self, store: str, sessions: pl.DataFrame) -> None:
        """Add the sessions of an export or archive, which is named ``store``."""
        if not sessions.is_empty():
            loaded = sessions.filter(status=Status.LOADED.value).select("source", "session_id", *_SIZE)
            self._stored.append(loaded.with_columns(store=pl.lit(store)))

    def violations(self) -> pl.DataFrame:
        """One row of the rule ``session-repeated`` for each session after the first with the same bytes."""
        first: dict[bytes, _Session] = {}
        repeated: list[tuple[_Session, _Session]] = []
        candidates = self._candidates()
        plain = [session.path for session in candidates if session.digest is None]
        hashed = dict(zip(plain, self._hash_files(plain), strict=True))
        for session in candidates:
            digest = session.digest or hashed[session.path]
            if digest is None:
                # It was read a moment ago and counted; only this comparison is not possible any more.
                continue
            original = first.setdefault(digest, session)
            # An export or archive carries the violations among its own sessions already.
            if original is not session and not (session.store and session.store == original.store):
                repeated.append((session, original))
        rule = BY_ID["session-repeated"]
        rows = [
            {
                "source": source_name(session.path),
                "rule": rule.id,
                "severity": rule.severity.value,
                "value": source_name(original.path),
                "count": 1,
                "message": f"{rule.sentence} (it has the same bytes as {original.name})",
            }
            for session, original in repeated
        ]
        return pl.DataFrame(rows, schema=polars_schema(VIOLATIONS)) if rows else empty_frame(VIOLATIONS)

    def _candidates(self) -> list[_Session]:
        """The sessions that may be repeated: files by path, then exports and archives in the order of reading."""
        ledger = pl.concat([EMPTY_LEDGER, *self._ledgers]).with_row_index("row")
        ledger = ledger.filter("loaded", pl.col("record_count") > 0)
        alike = ledger.filter(pl.struct(*_SIZE, "seed_sum").is_duplicated())
        stored = self._stored_sessions(has_files=not ledger.is_empty())
        if stored is not None:
            like_stored = ledger.join(stored.select(_SIZE).unique(), on=_SIZE, how="semi")
            alike = pl.concat([alike, like_stored]).unique("row")
        files = [_Session(self._paths[row], digest) for row, digest in alike.select("row", "digest").iter_rows()]
        # Tars give their members in an order of their own, which must not decide which of two files is the second.
        files.sort(key=lambda session: source_name(session.path))
        if stored is None:
            return files
        rows = stored.select("source", "session_id", "store").iter_rows()
        return files + [_Session(EscapedName(source), bytes.fromhex(digest), store) for source, digest, store in rows]

    def _stored_sessions(self, *, has_files: bool) -> pl.DataFrame | None:
        """The sessions of exports and archives with their hashes; None where there is nothing to compare them with."""
        stores = {frame["store"][0] for frame in self._stored if not frame.is_empty()}
        if not stores or (len(stores) == 1 and not has_files):
            return None
        stored = pl.concat(self._stored).filter(pl.col("session_id").is_not_null(), pl.col("record_count") > 0)
        # A session that an export holds twice is reported by the export itself.
        return stored.unique(["store", "session_id"], keep="first", maintain_order=True)


def repeated_violations(count: int) -> Iterator[pl.DataFrame]:
    """Violations of the rule ``session-repeated`` for sessions whose names are not known, some at a time."""
    rule = BY_ID["session-repeated"]
    row = pl.DataFrame(
        {"rule": rule.id, "severity": rule.severity.value, "count": 1, "message": rule.sentence},
    )
    for start in range(0, count, UNNAMED_AT_ONCE):
        rows = pl.concat([row] * min(count - start, UNNAMED_AT_ONCE))
        yield pl.concat([empty_frame(VIOLATIONS), rows], how="diagonal_relaxed")


def file_digests(paths: Iterable[str]) -> Iterator[bytes | None]:
    """The SHA-256 of each file; None where it cannot be read."""
    for path in paths:
        try:
            yield file_digest(path)
        except UnreadableError:
            yield None


class SeenContents:
    """The contents that were read already, so that each is read once.

    Args:
        sizes: the sizes of all files and stored sessions that may have equal bytes; None where they are not known
            before reading, as of members of containers.
        digests: the SHA-256 of contents that were read before.
    """

    def __init__(self, sizes: Iterable[int] | None, digests: Iterable[bytes] = ()) -> None:
        self._digests = set(digests)
        self._sizes = None if sizes is None else Counter(sizes)

    def add_file(self, path: str, size: int) -> bool:
        """Whether the content of a file is new. A file whose size is unique is not opened.

        Raises:
            UnreadableError: the file cannot be read.
        """
        if self._sizes is not None and self._sizes[size] < 2:
            return True
        return self.add_digest(file_digest(path))

    def add(self, data: bytes) -> bool:
        """Whether a content is new."""
        return self.add_digest(hashlib.sha256(data).digest())

    def add_digest(self, digest: bytes) -> bool:
        """Whether the content with this SHA-256 is new."""
        is_new = digest not in self._digests
        self._digests.add(digest)
        return is_new


class StoredSessionFilter:
    """Removes from the batches of one export or archive the sessions whose content was read already."""

    def __init__(self, seen: SeenContents) -> None:
        self._seen = seen
        self._removed: set[str] = set()

    def apply(self, batch: Batch) -> tuple[Batch, int]:
        """The batch without repeated sessions, and the number of sessions removed from it."""
        repeated = [
            source
            for source, session_id in batch.sessions.select("source", "session_id").iter_rows()
            if session_id is not None and not self._seen.add_digest(bytes.fromhex(session_id))
        ]
        self._removed.update(repeated)
        if not self._removed:
            return batch, 0
        is_kept = ~pl.col("source").is_in(list(self._removed))
        return (
            Batch(
                batch.sessions.filter(is_kept),
                batch.records.filter(is_kept),
                batch.violations.filter(is_kept),
                batch.seed_sums.filter(batch.sessions.select(is_kept).to_series()),
            ),
            len(repeated),
        )
