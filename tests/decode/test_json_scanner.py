"""The scanner: where the values of a JSON text begin and end, where the first fault is, and how deep the text is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clamp_analytics.decode.json_scanner import (
    KeyValueSpan,
    MalformedError,
    Scanner,
    excerpt,
    is_deep,
    is_utf8,
    may_be_deep,
    shorten,
    text_of,
)


def error_of(text: bytes) -> tuple[str, int, bool]:
    """The reason and the offset of the first fault, and whether the text is cut there."""
    scanner = Scanner(text)
    with pytest.raises(MalformedError) as caught:
        scanner.finish(scanner.value_end(scanner.document()))
    return caught.value.why, caught.value.offset, caught.value.cut


def test_a_document_begins_after_its_blanks() -> None:
    assert Scanner(b"{}").document() == 0
    assert Scanner(b" \t\r\n{}").document() == 4


def test_blanks_may_follow_a_document() -> None:
    Scanner(b"{} \n").finish(2)


def test_the_members_of_an_object_have_the_offsets_of_their_values() -> None:
    scanner = Scanner(b'xx{ "a" : 1 , "b":[2,3],"c" :{} } ')

    members = list(scanner.members(2))

    assert members == [
        KeyValueSpan("a", 10, 11, altered=False),
        KeyValueSpan("b", 18, 23, altered=False),
        KeyValueSpan("c", 29, 31, altered=False),
    ]
    assert scanner.end == 33


@pytest.mark.parametrize(("text", "end"), [(b"{}", 2), (b"{ }", 3), (b"{} ", 2)])
def test_an_empty_object_has_no_members(text: bytes, end: int) -> None:
    scanner = Scanner(text)

    assert list(scanner.members(0)) == []
    assert scanner.end == end


@pytest.mark.parametrize(
    ("spelled", "key", "altered"),
    [
        (b'"a"', "a", False),
        (b'"\\u0061"', "a", False),
        (b'"a\\"b"', 'a"b', False),
        ('"é"'.encode(), "é", False),
        (b'"a\xffb"', "a\\xffb", True),
        (b'"a\\ud800"', "a\\ud800", True),
    ],
)
def test_a_key_is_decoded_and_escaped_where_it_is_not_unicode(spelled: bytes, key: str, altered: bool) -> None:
    (member,) = Scanner(b"{" + spelled + b":1}").members(0)

    assert (member.key, member.altered) == (key, altered)


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        (b"[]", []),
        (b"[ ]", []),
        (b"[1]", [(1, 2)]),
        (b'[ 1 , "a,b" ,[2 , 3],{"c":4} ]', [(2, 3), (6, 11), (13, 20), (21, 28)]),
    ],
)
def test_the_elements_of_an_array_have_their_offsets(text: bytes, spans: list[tuple[int, int]]) -> None:
    assert list(Scanner(text).elements(0)) == spans


LONG = "x" * 5000
"""A text that makes an object or array too long for the standard library's scanner."""

VALUES = [
    '"a"',
    '"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9]"',
    "true",
    "null",
    "-1.5e+10",
    "0",
    "[]",
    "{}",
    "[ 1 , [ ] , { } ]",
    '{ "a" : { "b" : [ ] } , "c" : "}" }',
    "[[[[[[[[[[[[]]]]]]]]]]]]",
    "[[[[[[[[[[[[1, 2], 3], {}]]]]]]]]]]",
    '[[[[[[[[[[{"a": [1, {"b": "]"}], "c": true}, -1]]]]]]]]]]',
    '{"a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":{"i":{"j":[],"k":{}}}}},"l":null}}}}}}',
    f'["{LONG}", [ ] , {{ }} , {{"a" : 1, "b": [2 , "]"]}} , 5 ]',
    f'{{ "a" : ["{LONG}"] , "b":{{"c" :"{LONG}" }} , "d" : [1,2] }}',
    "[" * 9 + f'"{LONG}", ' + '[], [ ] , {}, { }, [[ ], {"a": {}}], {"b": [1, { "c" : 2 }], "d" : 3 } ' + "]" * 9,
    '{"a": ' * 9 + f'{{"b":"{LONG}",' + '"c":[],"d":{ } , "e":[{},[]]}' + "}" * 9,
]


@pytest.mark.parametrize("text", VALUES)
@pytest.mark.parametrize("before", ["", " [", "[[["])
@pytest.mark.parametrize("behind", ["", "}", ",1", " "])
def test_a_value_ends_behind_its_last_character(text: str, before: str, behind: str) -> None:
    data = f"{before}{text}{behind}".encode()

    assert Scanner(data).value_end(len(before)) == len(before) + len(text)


NESTED = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=2), inner, max_size=3)),
    max_leaves=12,
)


@given(value=NESTED, levels=st.integers(0, 12))
def test_any_value_ends_behind_its_last_character_however_deep_it_is(value: object, levels: int) -> None:
    text = json.dumps([value, 1])

    data = f"{'[' * levels}{text}{']' * levels}".encode()

    assert Scanner(data).value_end(0) == len(data)
    assert Scanner(data).value_end(levels) == levels + len(text)


@pytest.mark.parametrize(
    ("text", "why", "offset"),
    [
        (b"x", "a value is expected", 0),
        (b"[x]", "a value is expected", 1),
        (b"[1,]", "a value is expected", 3),
        (b"+1", "a value is expected", 0),
        (b".5e", "a value is expected", 0),
        (b"[-]", "a value is expected", 1),
        (b'{"a":tru}', "a value is expected", 5),
        (b"NaN", "NaN is not a JSON value", 0),
        (b"[1, -Infinity]", "-Infinity is not a JSON value", 4),
        (b"[[1, NaN], 2]", "NaN is not a JSON value", 5),
        (b"{a:1}", "a key in quotes is expected", 1),
        (b'{"a":1,}', "a key in quotes is expected", 7),
        (b'{"a" 1}', "a colon is expected", 5),
        (b"[1 2]", "a comma or the end of the object or array is expected", 3),
        (b"[1}", "a comma or the end of the object or array is expected", 2),
        (b'{"a":1 "b":2}', "a comma or the end of the object or array is expected", 7),
        (b'{"a":1]', "a comma or the end of the object or array is expected", 6),
        (b"[[[[[[[[[[1 2]]]]]]]]]]", "a comma or the end of the object or array is expected", 12),
        (b'"a\tb"', "invalid control character", 2),
        (b'"\t"', "invalid control character", 1),
        (b'["a\\xb"]', "invalid \\escape", 3),
        (b"01", "something follows the end of the document", 1),
        (b"{} {}", "something follows the end of the document", 3),
    ],
)
def test_a_fault_is_reported_with_its_offset(text: bytes, why: str, offset: int) -> None:
    assert error_of(text) == (why, offset, False)


@pytest.mark.parametrize(
    ("text", "why", "offset"),
    [
        (b'{"a":1;"b":2}', "a comma or the end of the object is expected", 6),
        (b'{"a":1 2}', "a comma or the end of the object is expected", 7),
    ],
)
def test_a_fault_between_members_is_reported_with_its_offset(text: bytes, why: str, offset: int) -> None:
    with pytest.raises(MalformedError, match=f"^{why}$") as caught:
        list(Scanner(text).members(0))

    assert (caught.value.offset, caught.value.cut) == (offset, False)


def test_a_fault_between_elements_is_reported_with_its_offset() -> None:
    with pytest.raises(MalformedError, match=r"^a comma or the end of the array is expected$") as caught:
        list(Scanner(b"[1;2]").elements(0))

    assert (caught.value.offset, caught.value.cut) == (2, False)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" ",
        b"[",
        b"[1",
        b"[1,",
        b'{"a"',
        b'{"a":',
        b'{"a":1',
        b"-",
        b"1.",
        b"1e",
        b"1E+",
        b"[t",
        b"[tru",
        b"[fals",
        b"[nul",
        b'"ab',
        b'"a\\',
        b'"a\\u',
        b'"a\\u00e',
    ],
)
def test_a_text_that_ends_too_early_is_cut_at_its_end(text: bytes) -> None:
    _, offset, is_cut = error_of(text)

    assert (offset, is_cut) == (len(text), True)


@pytest.mark.parametrize(
    ("text", "is_hinted"),
    [
        (b'{"a":0,5}', True),
        (b'[{"a":12,75,"b":1}]', True),
        (b'{"a":0, 5}', False),
        (b'{"a":"0",5}', False),
        (b"[1,2x]", False),
        (b"[1,2 x]", False),
        (b"5,5", False),
    ],
)
def test_a_decimal_comma_is_named_where_a_key_would_follow(text: bytes, is_hinted: bool) -> None:
    why, _, _ = error_of(text)

    assert why.endswith("; is it a decimal comma?") == is_hinted


@pytest.mark.parametrize(("depth", "expected"), [(249, False), (250, False), (251, True), (300, True)])
@pytest.mark.parametrize(
    ("opening", "closing"),
    [("[", "]"), ('{"a":', "}"), ('["[",', "]"), ('["\\"[",', "]")],
)
def test_a_text_is_deep_from_251_levels_on(depth: int, expected: bool, opening: str, closing: str) -> None:
    data = (opening * depth + "1" + closing * depth).encode()

    assert is_deep(data) == expected


@pytest.mark.parametrize("sibling", ["[]", "{}", '{"a":[]}'])
@pytest.mark.parametrize(("depth", "expected"), [(249, False), (250, True)])
def test_values_that_were_closed_are_not_levels(sibling: str, depth: int, expected: bool) -> None:
    data = ("[" + f"{sibling}," * 300 + "[" * depth + "]" * depth + "]").encode()

    assert is_deep(data) == expected


def test_brackets_in_a_text_are_not_levels() -> None:
    assert is_deep(json.dumps(["[" * 300]).encode()) is False
    assert is_deep(json.dumps(['"' + "{" * 300]).encode()) is False


@pytest.mark.parametrize(
    ("data", "siblings", "expected"),
    [
        (b"[" * 250, 0, False),
        (b"[" * 251, 0, True),
        (b"{" * 150 + b"[" * 101, 0, True),
        (b"[" + b"{},{}," * 200, 0, False),
        (b"[" + b"{},{}," * 200, 399, False),
        (b"[" * 250 + b"{} ,\n{}", 1, True),
        (b"[" * 249 + b"{} ,\n{}", 0, False),
    ],
)
def test_siblings_take_one_off_the_number_of_possible_levels(data: bytes, siblings: int, expected: bool) -> None:
    assert may_be_deep(data, siblings) == expected


def test_no_siblings_are_assumed() -> None:
    assert may_be_deep(b"[" * 251)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("x" * 200, "x" * 200), ("x" * 201, "x" * 199 + "…"), ("𝄞" * 200, "𝄞" * 200), ("𝄞" * 201, "𝄞" * 199 + "…")],
)
def test_a_text_for_a_report_has_200_characters_at_most(text: str, expected: str) -> None:
    assert shorten(text) == expected
    assert excerpt(b"--" + text.encode() + b"--", 2, 2 + len(text.encode())) == expected


def test_bytes_that_are_not_utf8_are_escaped_for_a_report() -> None:
    assert text_of(b"a\xffb") == "a\\xffb"


@pytest.mark.parametrize(("raw", "expected"), [(b"a", True), ("é".encode(), True), (b"\xe9", False), (b"", True)])
def test_bytes_are_utf8_or_not(raw: bytes, expected: bool) -> None:
    assert is_utf8(raw) is expected
