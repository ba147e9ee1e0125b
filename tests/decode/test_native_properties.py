"""Both decoders give the same tables of generated documents, valid and hostile ones."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clamp_analytics.decode.kernel import load_kernel
from tests.conftest import EXAMPLES, Raw, decode, json_text, record, session
from tests.decode.test_native import ACCEPTED, accept

pytestmark = pytest.mark.skipif(load_kernel() is None, reason="clamp-analytics-kernel is not installed")

DIGITS = st.text("0123456789", min_size=1, max_size=25)
NUMBERS = st.one_of(
    st.floats(0, 1).map(repr),
    st.integers(0, 2**66).map(str),
    st.builds("{}.{}".format, st.sampled_from(["0", "1", "-0", "00", "12345678901234567890"]), DIGITS),
    st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["1", "0", "9.5", "-1", "4.9"]),
        st.sampled_from("eE"),
        st.sampled_from(["", "+", "-"]),
        st.integers(0, 400),
    ),
    st.sampled_from(
        [
            "2.2250738585072011e-308",
            "4.9e-324",
            "2.4703282292062327e-324",
            "9007199254740993",
            "0.500000000000000166533453693773481063544750213623046875",
            "1e23",
            "8.5e22",
            "NaN",
            "-",
            "1.",
            ".5",
        ]
    ),
)
TIMESTAMPS = st.one_of(
    st.builds(
        "{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}{}{}".format,
        st.sampled_from([0, 1, 1969, 1970, 2000, 2024, 2026, 9999]),
        st.integers(0, 13),
        st.integers(0, 32),
        st.sampled_from("Tt _"),
        st.integers(0, 24),
        st.integers(0, 60),
        st.integers(0, 60),
        st.sampled_from(["", ".0", ".5", ",25", ".123456", ".1234567", ".999999999", "."]),
        st.sampled_from(["Z", "z", "", "+00:00", "-0000", "+01:00", "-23:59", "Z "]),
    ),
    st.sampled_from(["", "now", "2026-01-01", "2026-01-01T00:00:00Z\n"]),
).map(json.dumps)
TEXTS = st.one_of(
    st.text(max_size=20).map(json.dumps),
    st.text(max_size=20).map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.sampled_from(
        [r'"\ud800"', r'"\udc00\ud800"', r'"\x"', r'"\u12"', '"\x1f"', '"a', "null", "7", r'"\ud83d\ude00"']
    ),
)
VALUES = st.recursive(
    st.one_of(TEXTS, NUMBERS, st.sampled_from(["null", "true", "false", "tru", "{}", "[]", "[,]", "{,}"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]"),
        st.lists(inner, max_size=3).map(
            lambda items: "{" + ",".join(f'"k{n % 2}" : {item}' for n, item in enumerate(items)) + "}"
        ),
    ),
    max_leaves=6,
)
KEYS = st.sampled_from(["x", "y", "labels", "records", "a b", "\u00e9", "seed", "backend", "device_name", "deviceName"])


@st.composite
def hostile_records(draw: st.DrawFn, number: int) -> str:
    """The text of a record in which about one thing is unusual."""
    fields = {key: json_text(value) for key, value in record(seed=number).items()}
    kind = draw(st.sampled_from(["", "", "seed", "score", "duration", "time", "text", "unknown", "order", "without"]))
    if kind in {"seed", "score", "duration"}:
        key = {"seed": "seed", "score": "stability_score", "duration": "duration_ms"}[kind]
        fields[key] = draw(NUMBERS)
    elif kind == "time":
        fields[draw(st.sampled_from(["acquired_at", "released_at"]))] = draw(TIMESTAMPS)
    elif kind == "text":
        fields[draw(st.sampled_from(["context", "thread_id", "backend", "deviceName", "device_name"]))] = draw(TEXTS)
    elif kind == "without":
        del fields[draw(st.sampled_from(sorted(fields)))]
    members = [f'"{key}":{text}' for key, text in fields.items()]
    if kind == "unknown":
        members += [
            f"{json.dumps(key, ensure_ascii=False)}: {draw(VALUES)}" for key in draw(st.lists(KEYS, max_size=3))
        ]
    if kind == "order":
        members = draw(st.permutations(members))
    return "{" + draw(st.sampled_from([",", " , ", ",\n"])).join(members) + "}"


@st.composite
def hostile_documents(draw: st.DrawFn) -> bytes:
    """A document of a few records, whose declared mean is that of scores of 1 or anything else."""
    records = [draw(hostile_records(number)) for number in range(1, draw(st.integers(0, 4)) + 1)]
    score = draw(st.one_of(st.just("1.000000"), NUMBERS))
    members = [f'"stability_score":{score}', f'"records": [{", ".join(records)}]']
    members += [f"{json.dumps(key, ensure_ascii=False)}:{draw(VALUES)}" for key in draw(st.lists(KEYS, max_size=2))]
    text = "{" + ",".join(draw(st.permutations(members))) + "}"
    return text.encode("utf-8", "surrogatepass")


@given(st.lists(hostile_documents(), min_size=1, max_size=3))
@settings(max_examples=120 * EXAMPLES)
def test_both_decoders_give_the_same_tables_of_hostile_documents(documents: list[bytes]) -> None:
    # The function compares the two.
    assert decode(*documents).sessions.height == len(documents)


@given(st.data())
@settings(max_examples=60 * EXAMPLES)
def test_both_decoders_give_the_same_tables_of_damaged_documents(data: st.DataObject) -> None:
    document = bytearray(data.draw(st.sampled_from(sorted(ACCEPTED.values()))))
    for _ in range(data.draw(st.integers(1, 3))):
        begin = data.draw(st.integers(0, len(document)))
        end = begin + data.draw(st.integers(0, 3))
        document[begin:end] = data.draw(
            st.sampled_from([b"", b"0", b'"', b",", b"}", b"]", b"\\", b"\xff", b" ", b"-", b"e"])
        )

    assert decode(bytes(document)).sessions.height == 1


@given(st.lists(st.floats(1e-4, 1), min_size=1, max_size=40))
@settings(max_examples=50 * EXAMPLES)
def test_the_mean_is_rounded_once(scores: list[float]) -> None:
    kernel = load_kernel()
    assert kernel is not None
    mean = float(sum(map(Fraction, scores)) / len(scores))
    records = [record(seed=n, stability_score=Raw(repr(score))) for n, score in enumerate(scores, 1)]

    accepted, doubtful = accept(kernel, session(*records, stability_score=Raw(repr(mean))))

    assert doubtful == []
    assert accepted.sessions["mean_stability"].to_list() == [mean]


@given(st.floats(0, allow_infinity=False, allow_nan=False))
@settings(max_examples=80 * EXAMPLES)
def test_every_double_keeps_its_value(number: float) -> None:
    kernel = load_kernel()
    assert kernel is not None

    accepted, _ = accept(kernel, session(record(released_at=None, duration_ms=Raw(repr(number)))))

    assert accepted.records["duration_ms"].to_list() == [number]
