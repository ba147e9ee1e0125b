"""The JSON text of a session, as specified, in the layout of the C++ producer.

The text is strict UTF-8 that any JSON parser reads. Numbers read back to exactly the same double: durations
have all their nanoseconds, scores and the mean have as many digits as that takes.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from clamp_analytics.errors import AnchorError
from clamp_analytics.recorder.buffer import Record
from clamp_analytics.recorder.seeds import BLOCK_BITS, BLOCK_MASK, SeedStream
from clamp_analytics.recorder.validation import validate_score, validate_seed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clamp_analytics.recorder.buffer import Row, Snapshot

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The end of the year 9998, in nanoseconds: records that follow an alignment have one more year.
LATEST_ALIGNED = int((datetime(9999, 1, 1, tzinfo=UTC) - EPOCH).total_seconds()) * 1_000_000_000

_SECOND = 1_000_000_000
# The years 1 to 9999, in nanoseconds.
_FIRST = (datetime(1, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1) * 1000
_LAST = (datetime.max.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1) * 1000

_ACQUIRED = '{"context":%s,"seed":%d,"thread_id":%s,"acquired_at":"%s%06dZ","released_at":'
_FINISHED = _ACQUIRED + '"%s%06dZ","duration_ms":%d.%06d,"stability_score":%s}'
_IN_FLIGHT = _ACQUIRED + 'null,"duration_ms":0.000,"stability_score":0}'

# Records per chunk. Formatting a chunk cannot be interrupted, so it must be short for the recording threads.
_CHUNK = 512
# Entries per cache. A program may put a request's number into a context, so the caches must not grow with that.
_CACHE_SIZE = 10_000


def replace_surrogates(text: str) -> str:
    """Replace what UTF-8 cannot encode: a lone surrogate by U+FFFD, a pair of surrogates by its character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


class _QuotedCache(dict[str, str]):
    """JSON strings by their text; contexts and thread ids repeat."""

    def __missing__(self, text: str) -> str:
        if len(self) >= _CACHE_SIZE:
            self.clear()
        quoted = self[text] = json.dumps(replace_surrogates(text), ensure_ascii=False)
        return quoted


class _SecondCache(dict[int, str]):
    """Timestamps as far as the dot, by whole seconds since 1970; neighbouring records share them."""

    def __missing__(self, second: int) -> str:
        if len(self) >= _CACHE_SIZE:
            self.clear()
        text = self[second] = (EPOCH + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S.").rjust(20, "0")
        return text


class _ScoreCache(dict[float, str]):
    """The shortest text that reads back to the same double, by score; most scores are 1.0 or 0.0."""

    def __missing__(self, score: float) -> str:
        if len(self) >= _CACHE_SIZE:
            self.clear()
        text = self[score] = repr(score)
        return text


def encode_session(snapshot: Snapshot, labels: Mapping[str, str] | None = None) -> Iterator[bytes]:
    """Yield the text of a session in chunks of some hundred records.

    Args:
        snapshot: the records.
        labels: written as the additional top-level field ``labels``; without labels there is no such field.
    """
    yield _header(snapshot.mean_score(), labels).encode()
    encoder = _ChunkEncoder(snapshot)
    rows = snapshot.rows()
    separator = ""
    while chunk := list(islice(rows, _CHUNK)):
        yield (separator + encoder.encode(chunk)).encode()
        separator = ", "
    yield b"] }\n"


def _header(mean_score: float, labels: Mapping[str, str] | None) -> str:
    field = ""
    if labels:
        plain = {replace_surrogates(key): replace_surrogates(value) for key, value in labels.items()}
        field = f'"labels":{json.dumps(plain, ensure_ascii=False, separators=(",", ":"))},'
    return f'{{"stability_score":{mean_score!r},{field}"records": ['


class _ChunkEncoder:
    """Formats rows of a snapshot.

    Speed matters here: a million records take a second or two. So there is one formatting call per chunk,
    numbers are small (within a second, not since 1970), and repeated texts come from caches.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._shift = snapshot.shift
        self._quoted = _QuotedCache()
        self._seconds = _SecondCache()
        self._scores = _ScoreCache()
        self._seeds = SeedStream(snapshot.seed_key)

    def encode(self, rows: list[Row]) -> str:
        """Return the records separated by commas."""
        try:
            return self._encode(rows)
        except OverflowError:  # a timestamp that a datetime cannot represent
            return ", ".join(map(self._encode_clamped, rows))

    def _encode(self, rows: list[Row]) -> str:
        quoted, seconds, scores, seeds, shift = self._quoted, self._seconds, self._scores, self._seeds, self._shift
        templates: list[str] = []
        values: list[str | int] = []
        for context, thread_id, seed_index, acquired, start, stop, score in rows:
            second, nanosecond = divmod(acquired + shift, _SECOND)
            seed = ~seed_index if seed_index < 0 else seeds[seed_index >> BLOCK_BITS][seed_index & BLOCK_MASK]
            values += quoted[context], seed, quoted[thread_id], seconds[second], nanosecond // 1000
            if stop is None:
                templates.append(_IN_FLIGHT)
                continue
            templates.append(_FINISHED)
            held = stop - start
            later, end = divmod(nanosecond + held, _SECOND)
            values += seconds[second + later], end // 1000, held // 1_000_000, held % 1_000_000, scores[score]
        return ", ".join(templates) % tuple(values)

    def _encode_clamped(self, row: Row) -> str:
        context, thread_id, seed_index, acquired, start, stop, score = row
        seed = self._seeds.seed(seed_index)
        acquired += self._shift
        values = self._quoted[context], seed, self._quoted[thread_id], *self._timestamp(acquired)
        if stop is None:
            return _IN_FLIGHT % values
        held = stop - start
        duration = held // 1_000_000, held % 1_000_000
        return _FINISHED % (*values, *self._timestamp(acquired + held), *duration, self._scores[score])

    def _timestamp(self, nanoseconds: int) -> tuple[str, int]:
        second, nanosecond = divmod(_clamp(nanoseconds), _SECOND)
        return self._seconds[second], nanosecond // 1000


def build_records(snapshot: Snapshot) -> list[Record]:
    """Return the records of a snapshot as objects, with the same values as its file."""
    seeds = SeedStream(snapshot.seed_key)
    return [
        Record(
            context=replace_surrogates(context),
            seed=seeds.seed(seed_index),
            thread_id=replace_surrogates(thread_id),
            acquired_at=_to_datetime(acquired + snapshot.shift),
            released_at=None if stop is None else _to_datetime(acquired + snapshot.shift + stop - start),
            duration_ms=0.0 if stop is None else (stop - start) / 1_000_000,
            stability_score=score,
        )
        for context, thread_id, seed_index, acquired, start, stop, score in snapshot.rows()
    ]


def decode_session(text: str) -> list[Row]:
    """Return the rows of a session text that the recorder wrote, in this process or in another one.

    Raises:
        AnchorError: the text is not such a session.
    """
    rows: list[Row] = []
    try:
        for record in json.loads(text)["records"]:
            acquired = _to_nanoseconds(record["acquired_at"])
            stop = None
            if record["released_at"] is not None:
                held = round(record["duration_ms"] * 1_000_000)
                # The timestamps have microseconds only. The part that was cut off the acquisition follows from
                # the other two values, and adding it makes all three agree again.
                acquired += max(_to_nanoseconds(record["released_at"]) - acquired - held, 0)
                stop = acquired + held
            context, thread_id = replace_surrogates(record["context"]), replace_surrogates(record["thread_id"])
            seed_index = ~validate_seed(record["seed"], "records")
            score = validate_score(record["stability_score"], "records")
            # The acquisition also serves as the start: only the difference to the stop matters.
            rows.append((context, thread_id, seed_index, acquired, acquired, stop, score))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise AnchorError(
            f"this is not a session text of the recorder: {error!r:.100}", hint="pass the result of to_json()"
        ) from error
    return rows


def _to_nanoseconds(timestamp: str) -> int:
    return (datetime.fromisoformat(timestamp) - EPOCH) // timedelta(microseconds=1) * 1000


def _clamp(nanoseconds: int) -> int:
    """Return the nearest time in the years 1 to 9999; a wrong clock must not make a record unwritable."""
    return min(max(nanoseconds, _FIRST), _LAST)


def _to_datetime(nanoseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=_clamp(nanoseconds) // 1000)
