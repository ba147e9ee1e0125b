"""The JSON text of a session, as the specification has it and in the layout of the C++ producer.

The text is strict UTF-8 that any JSON parser reads. Numbers are printed so that they read back to the very
same double: durations with all their nanoseconds, scores and the mean with as many digits as it takes.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from clamp_analytics.errors import AnchorError
from clamp_analytics.recorder.scores import checked_score
from clamp_analytics.recorder.seeds import BLOCK_BITS, BLOCK_MASK, Seeds, checked_seed
from clamp_analytics.recorder.store import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clamp_analytics.recorder.store import Row, View

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The end of the year 9998, in nanoseconds: records that follow an alignment have a year of room.
LATEST = int((datetime(9999, 1, 1, tzinfo=UTC) - EPOCH).total_seconds()) * 1_000_000_000

_SECOND = 1_000_000_000

_ACQUIRED = '{"context":%s,"seed":%d,"thread_id":%s,"acquired_at":"%s%06dZ","released_at":'
_FINISHED = _ACQUIRED + '"%s%06dZ","duration_ms":%d.%06d,"stability_score":%s}'
_IN_FLIGHT = _ACQUIRED + 'null,"duration_ms":0.000,"stability_score":0}'

# Small enough that a recording thread never waits long for the interpreter while a chunk is formatted.
_CHUNK = 512
# Programs that put a request's number into a context must not pay for it with memory while a file is written.
_REMEMBERED = 10_000


def plain(text: str) -> str:
    """Replace what UTF-8 cannot carry: each lone surrogate by U+FFFD, each pair of them by its character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


class _Quoted(dict[str, str]):
    """JSON strings by their text: contexts and threads repeat."""

    def __missing__(self, text: str) -> str:
        if len(self) >= _REMEMBERED:
            self.clear()
        quoted = self[text] = json.dumps(plain(text), ensure_ascii=False)
        return quoted


class _Seconds(dict[int, str]):
    """The text of a whole second since 1970, as far as the dot; neighbouring records share it."""

    def __missing__(self, second: int) -> str:
        if len(self) >= _REMEMBERED:
            self.clear()
        text = self[second] = (EPOCH + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S.").rjust(20, "0")
        return text


class _Scores(dict[float, str]):
    """The shortest text that reads back to the same double, by score: most cycles score 1.0 or 0.0."""

    def __missing__(self, score: float) -> str:
        if len(self) >= _REMEMBERED:
            self.clear()
        text = self[score] = repr(score)
        return text


def session_chunks(view: View) -> Iterator[bytes]:
    """Yield the text of a session, some hundred records at a time."""
    yield f'{{"stability_score":{view.mean_score()!r},"records": ['.encode()
    quoted, seconds, scores, seeds = _Quoted(), _Seconds(), _Scores(), Seeds(view.seed_key)
    rows, shift = view.rows(), view.shift
    separator = ""
    # A million records pass here within a second or two: one formatting call for a whole chunk, numbers
    # that are small (within their second, not since 1970), and texts that are looked up, not made again.
    while chunk := list(islice(rows, _CHUNK)):
        templates: list[str] = []
        values: list[str | int] = []
        for context, origin, ticket, acquired, start, stop, score in chunk:
            second, nanosecond = divmod(acquired + shift, _SECOND)
            seed = ~ticket if ticket < 0 else seeds[ticket >> BLOCK_BITS][ticket & BLOCK_MASK]
            values += quoted[context], seed, quoted[origin], seconds[second], nanosecond // 1000
            if stop is None:
                templates.append(_IN_FLIGHT)
                continue
            templates.append(_FINISHED)
            held = stop - start
            later, end = divmod(nanosecond + held, _SECOND)
            values += seconds[second + later], end // 1000, held // 1_000_000, held % 1_000_000, scores[score]
        yield (separator + ", ".join(templates) % tuple(values)).encode()
        separator = ", "
    yield b"] }\n"


def records_of(view: View) -> list[Record]:
    """Return what the file of the same view says, as objects."""
    seeds = Seeds(view.seed_key)
    return [
        Record(
            context=plain(context),
            seed=seeds.of(ticket),
            thread_id=plain(origin),
            acquired_at=_moment(acquired + view.shift),
            released_at=None if stop is None else _moment(acquired + view.shift + stop - start),
            duration_ms=0.0 if stop is None else (stop - start) / 1_000_000,
            stability_score=score,
        )
        for context, origin, ticket, acquired, start, stop, score in view.rows()
    ]


def rows_of(text: str) -> list[Row]:
    """Return the rows of a session text that this module made, perhaps in another process.

    Raises:
        AnchorError: it is no such text.
    """
    rows: list[Row] = []
    try:
        for record in json.loads(text)["records"]:
            acquired = _nanoseconds(record["acquired_at"])
            stop = None
            if record["released_at"] is not None:
                held = round(record["duration_ms"] * 1_000_000)
                # The text has microseconds; the rest that it cut off is what makes all three agree again.
                acquired += max(_nanoseconds(record["released_at"]) - acquired - held, 0)
                stop = acquired + held
            ticket = ~checked_seed(record["seed"], "records")
            score = checked_score(record["stability_score"], "records")
            # Of the start only the span to the stop counts; it must be an object of this cycle alone.
            rows.append((plain(record["context"]), plain(record["thread_id"]), ticket, acquired, acquired, stop, score))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise AnchorError(
            f"this is no session text of the recorder: {error!r:.100}", hint="give it what to_json() returned"
        ) from error
    return rows


def _nanoseconds(timestamp: str) -> int:
    return (datetime.fromisoformat(timestamp) - EPOCH) // timedelta(microseconds=1) * 1000


def _moment(nanoseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=nanoseconds // 1000)
