"""Corpora: session files in the exact format of the C++ producer, with the answer that a correct reader gives.

The bytes of a corpus depend on its parameters alone. The expected answer is computed while the records are generated,
from the numbers that are printed, so no reader is checked against itself.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import random
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

VERSION = 1
"""Increases when the same parameters give different bytes; corpora of another version are generated again."""

STAMP = "corpus.stamp"
"""Ending of the file beside a corpus folder that describes it; it is written last."""

BEGIN = 1_790_000_000
"""Start of every corpus, in seconds since 1970."""

IN_FLIGHT, UNSTABLE = 0.002, 0.03
"""Shares of records that are in flight, and of those with a score below 1."""

MICRO = 1_000_000
FILES_AT_ONCE = 250
ALONE_BELOW_RECORDS = 50_000

_LEGACY = '"backend":"CPU","deviceName":"node-a","device_name":"node-a",'


@dataclass(frozen=True, slots=True)
class Corpus:
    """Parameters of a folder of session files.

    Attributes:
        name: the folder's name.
        files: number of session files.
        records: records per file.
        plain: write the format of the Python recorder, with microseconds and without legacy fields, instead of that
            of the C++ producer.
        faulty: 1 % of the files contain one bad record, and 0.1 % are truncated.
        unknown: every record has a field that the specification does not define.
    """

    name: str
    files: int
    records: int
    plain: bool = False
    faulty: bool = False
    unknown: bool = False

    @property
    def total(self) -> int:
        """Number of records in all files."""
        return self.files * self.records


@dataclass(frozen=True, slots=True)
class Truth:
    """The answer of a correct reader on a corpus.

    Attributes:
        records: records in all readable files.
        scored: records with a usable score.
        in_flight: records without a release.
        mean, variance: mean and sample variance of the usable scores.
        drift_ms: latest minus earliest acquisition.
        seed_sum: the sum of all usable seeds, modulo 2^64.
        duration_sum: the sum of all usable durations in milliseconds.
        rejected: files that are not sessions.
        size: total size in bytes.
    """

    records: int
    scored: int
    in_flight: int
    mean: float
    variance: float
    drift_ms: float
    seed_sum: int
    duration_sum: float
    rejected: int
    size: int


@dataclass(slots=True)
class _Tally:
    """Sums over some files, in the order of their generation."""

    scores: list[float]
    squares: list[float]
    durations: list[float]
    records: int = 0
    scored: int = 0
    in_flight: int = 0
    seed_sum: int = 0
    first: int = 1 << 62
    last: int = 0
    rejected: int = 0
    size: int = 0

    def add(self, other: _Tally) -> None:
        sums = ("scores", "squares", "durations", "records", "scored", "in_flight", "seed_sum", "rejected", "size")
        for name in sums:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)

    def truth(self) -> Truth:
        total, squares, count = math.fsum(self.scores), math.fsum(self.squares), self.scored
        return Truth(
            records=self.records,
            scored=count,
            in_flight=self.in_flight,
            mean=total / count,
            variance=(squares - total * total / count) / (count - 1),
            drift_ms=(self.last - self.first) / 1000,
            seed_sum=self.seed_sum % 2**64,
            duration_sum=math.fsum(self.durations),
            rejected=self.rejected,
            size=self.size,
        )


def _tally() -> _Tally:
    return _Tally([], [], [])


BAD_RECORDS = (
    # The correct text, its replacement, and the value that is lost.
    ('"stability_score":{score}', '"stability_score":"{score}"', "score"),
    ('"stability_score":{score}', '"stability_score":1.5', "score"),
    ('"seed":{seed}', '"seed":-1', "seed"),
    ('"seed":{seed}', '"seed":18446744073709551616', "seed"),
    ('"thread_id":"{thread}"', '"thread_id":{thread}', ""),
)
"""The faults of bad records; successive bad files cycle through them."""


def is_cut(corpus: Corpus, index: int) -> bool:
    """Whether a file is truncated: one in 1,000, and at least one."""
    return corpus.faulty and index % 1000 == 7


def fault_of(corpus: Corpus, index: int) -> tuple[str, str, str] | None:
    """The fault of a file, or None. One file in 100 has one, and at least one file."""
    if not corpus.faulty or index % 100 != 5:
        return None
    return BAD_RECORDS[index // 100 % len(BAD_RECORDS)]


class _Seconds(dict[int, str]):
    """Cache of formatted seconds, which neighbouring records share."""

    def __missing__(self, second: int) -> str:
        text = self[second] = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second)).strftime(
            "%Y-%m-%dT%H:%M:%S"
        )
        return text


@dataclass(slots=True)
class _Record:
    """One record; times are in microseconds since 1970, and ``released`` is 0 for an anchor in flight."""

    context: int
    seed: int
    acquired: int
    released: int
    duration: str
    score: float

    def text(self, plain: bool, seconds: _Seconds, score: str, tail: str) -> str:
        legacy, start, stop = _LEGACY, f"{seconds[self.acquired // MICRO]}Z", "null"
        if plain:
            legacy, start = "", f"{seconds[self.acquired // MICRO]}.{self.acquired % MICRO:06d}Z"
        if self.released:
            fraction = f".{self.released % MICRO:06d}" if plain else ""
            stop = f'"{seconds[self.released // MICRO]}{fraction}Z"'
        return (
            f'{{"context":"thread-{self.context}","seed":{self.seed},{legacy}"thread_id":"{self.thread}",'
            f'"acquired_at":"{start}","released_at":{stop},"duration_ms":{self.duration},"stability_score":{score}{tail}'
        )

    @property
    def thread(self) -> int:
        return 140154254907072 + self.context * 4096


def _records(corpus: Corpus, index: int) -> Iterator[_Record]:
    """Generate the records of a file."""
    # A string seeds the generator alike in every version of Python; faults do not change the records.
    rng = random.Random(f"{corpus.records}:{index}")
    chance, bits, gauss = rng.random, rng.getrandbits, rng.gauss
    digits = 6 if corpus.plain else 3
    at = second_of(corpus, index) * MICRO
    for _ in range(corpus.records):
        context, seed = bits(3), bits(64) or 1
        if chance() < IN_FLIGHT:
            yield _Record(context, seed, at, 0, "0.000", 0.0)
            continue
        duration = math.exp(gauss(0.0, 1.0))
        score = 1.0 if chance() >= UNSTABLE else chance()
        yield _Record(context, seed, at, at + int(duration * 1000), f"{duration:.{digits}f}", score)
        at += int(duration * 1000)


def session(corpus: Corpus, index: int) -> tuple[bytes, _Tally]:
    """The bytes of one file, and the answer of a correct reader on it."""
    tail = ',"queue":"main"}' if corpus.unknown else "}"
    unit = 1 if corpus.plain else MICRO
    fault, bad_index = fault_of(corpus, index), corpus.records // 2
    seconds, tally = _Seconds(), _tally()
    texts: list[str] = []
    scores: list[float] = []
    exact: list[float] = []
    for number, record in enumerate(_records(corpus, index)):
        score = repr(record.score) if corpus.plain and record.released else f"{record.score:.3g}"
        text = record.text(corpus.plain, seconds, score, tail)
        lost = ""
        if fault and number == bad_index:
            sound, bad, lost = fault
            values = {"score": score, "seed": record.seed, "thread": record.thread}
            text = text.replace(sound.format(**values), bad.format(**values))
        texts.append(text)
        exact.append(record.score)
        if lost != "score":
            scores.append(float(score))
        if lost != "seed":
            tally.seed_sum += record.seed
        tally.in_flight += not record.released
        acquired = record.acquired - record.acquired % unit
        tally.first, tally.last = min(tally.first, acquired), max(tally.last, acquired)
        tally.durations.append(float(record.duration))
    tally.records, tally.scored = corpus.records, len(scores)
    tally.scores = [math.fsum(scores)]
    tally.squares = [math.fsum(score * score for score in scores)]
    tally.durations = [math.fsum(tally.durations)]
    data = _document(corpus, math.fsum(exact) / max(corpus.records, 1), ", ".join(texts))
    if is_cut(corpus, index):
        data, tally = data[: len(data) * 2 // 3], _tally()
        tally.rejected = 1
    tally.size = len(data)
    return data, tally


def _document(corpus: Corpus, mean: float, records: str) -> bytes:
    if corpus.plain:
        return f'{{"stability_score":{mean!r},"records": [{records}] }}\n'.encode()
    return f'{{{_LEGACY}"stability_score":{mean:.6f},"records": [{records}] }}'.encode()


def second_of(corpus: Corpus, index: int) -> int:
    """Start of a session; sessions are at least a minute apart, so that no two files have the same name."""
    return BEGIN + index * max(60, corpus.records // 200)


def name_of(corpus: Corpus, index: int) -> str:
    """The file name that the producer would choose: the program and the second of writing."""
    return f"clamp_run_{datetime.fromtimestamp(second_of(corpus, index), UTC):%Y%m%dT%H%M%SZ}.json"


def _write(corpus: Corpus, folder: str, start: int, end: int) -> _Tally:
    tally = _tally()
    for index in range(start, end):
        data, one = session(corpus, index)
        Path(folder, name_of(corpus, index)).write_bytes(data)
        tally.add(one)
    return tally


def _chunks(corpus: Corpus) -> Iterator[tuple[int, int]]:
    step = max(1, min(FILES_AT_ONCE, -(-corpus.files // 8)))
    for start in range(0, corpus.files, step):
        yield start, min(start + step, corpus.files)


def make_corpus(corpus: Corpus, home: Path) -> tuple[Path, Truth]:
    """Generate a corpus unless it exists already.

    Args:
        corpus: its parameters.
        home: the folder that holds the corpora.

    Returns:
        The folder of the corpus and the expected answer.
    """
    folder, stamp = home / corpus.name, home / f"{corpus.name}.{STAMP}"
    wanted = {"version": VERSION, **asdict(corpus)}
    if stamp.exists():
        known = json.loads(stamp.read_text())
        if known["corpus"] == wanted:
            return folder, Truth(**known["truth"])
        shutil.rmtree(folder, ignore_errors=True)
    elif folder.exists():
        raise FileExistsError(f"{folder} exists and was not created by the benchmark: choose another --corpus")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Marks an unfinished corpus as ours, so that the next run may replace it.
    stamp.write_text(json.dumps({"corpus": None}))
    folder.mkdir()
    tally = _tally()
    if corpus.total < ALONE_BELOW_RECORDS:
        tally = _write(corpus, str(folder), 0, corpus.files)
    else:
        with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
            parts = [pool.submit(_write, corpus, str(folder), start, end) for start, end in _chunks(corpus)]
            for part in parts:
                tally.add(part.result())
    truth = tally.truth()
    stamp.write_text(json.dumps({"corpus": wanted, "truth": asdict(truth)}))
    return folder, truth


SHAPES = (Corpus("small", 20_000, 20), Corpus("medium", 2_000, 500), Corpus("large", 10, 100_000))
"""Many small files, medium files, and few large files."""


def quick(corpus: Corpus) -> Corpus:
    """The same corpus with about a tenth of the files; large files stay large enough to be read in parts."""
    return replace(corpus, name=f"quick-{corpus.name}", files=max(2, corpus.files // 10))
