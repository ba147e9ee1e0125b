"""The members of a tar, header by header (POSIX.1-1988, "ustar Interchange Format", and the pax and GNU extensions)."""

from __future__ import annotations

import io

import pytest

from clamp_analytics.sources.containers.codecs import stream_of
from clamp_analytics.sources.containers.limits import (
    DEFAULT_LIMITS,
    Budget,
    ContainerLimits,
    DamagedError,
    LimitError,
    RefusedError,
)
from clamp_analytics.sources.containers.tars import TarEntry, entries
from clamp_analytics.sources.names import Codec, MemberFilter, MemberKind

END = bytes(1024)
SESSION, OTHER, NOT_ASKED = MemberKind.SESSION, MemberKind.OTHER, MemberKind.NOT_ASKED


def header(
    name: bytes = b"x.json",
    size: bytes | int = 0,
    kind: bytes = b"0",
    magic: bytes = b"ustar\x0000",
    *,
    more: dict[int, bytes] | None = None,
    signed: bool = False,
) -> bytes:
    """A header; ``more`` gives bytes at other offsets, and a signed checksum is that of old programs."""
    block = bytearray(512)
    text = b"%011o\0" % size if isinstance(size, int) else size
    for at, data in {0: name, 100: b"0000644\0", 124: text, 156: kind, 257: magic, **(more or {})}.items():
        block[at : at + len(data)] = data
    block[148:156] = b" " * 8
    total = sum(block) - (256 * sum(byte > 127 for byte in block) if signed else 0)
    block[148:156] = b"%06o\0 " % total
    return bytes(block)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def file(name: bytes, data: bytes, kind: bytes = b"0") -> bytes:
    return header(name, len(data), kind) + padded(data)


def pax(*records: bytes, kind: bytes = b"x") -> bytes:
    """An extended header of records ``key=value``."""
    text = b""
    for record in records:
        length = len(record) + 3
        while len(b"%d %s\n" % (length, record)) != length:
            length += 1
        text += b"%d %s\n" % (length, record)
    return file(b"pax", text, kind)


def read(
    data: bytes, limits: ContainerLimits = DEFAULT_LIMITS, *, has_room: bool = True, only: str = ""
) -> list[TarEntry]:
    budget = Budget(limits, len(data))
    stream = stream_of(io.BytesIO(data), Codec.NONE, budget)
    return list(entries(stream, MemberFilter(only), budget, lambda size: has_room))


def session(name: str, data: bytes | None) -> TarEntry:
    return TarEntry(name, SESSION, data=data)


@pytest.mark.parametrize("size", [0, 1, 200, 511, 512, 513])
@pytest.mark.parametrize("has_room", [True, False])
def test_members_follow_each_other_in_blocks(size: int, has_room: bool) -> None:
    data = bytes([65]) * size

    found = read(file(b"x.json", data) + file(b"y.json", b"y") + END, has_room=has_room)

    assert found == [session("x.json", data if has_room else None), session("y.json", b"y" if has_room else None)]


@pytest.mark.parametrize("kind", [b"0", b"\0", b"7"])
def test_regular_files_have_three_types(kind: bytes) -> None:
    assert read(file(b"x.json", b"abc", kind) + END) == [session("x.json", b"abc")]


def test_a_file_that_is_not_a_session_is_passed_over_with_its_reason() -> None:
    found = read(file(b"x.txt", b"abc") + file(b".y.json", b"abc") + file(b"z.json", b"z") + END)

    assert found == [
        TarEntry("x.txt", OTHER, "other ending"),
        TarEntry(".y.json", OTHER, "hidden"),
        session("z.json", b"z"),
    ]


def test_a_member_that_is_not_asked_for_is_passed_over() -> None:
    found = read(file(b"x.json", b"abc") + file(b"y.json", b"y") + END, only="y.json")

    assert found == [TarEntry("x.json", NOT_ASKED), session("y.json", b"y")]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(b"1", "it is a link"), (b"2", "it is a link"), (b"3", "it is a device"), (b"4", "it is a device"),
     (b"6", "it is a FIFO")],
)  # fmt: skip
def test_no_data_follows_a_link_or_a_device_whatever_its_size(kind: bytes, reason: str) -> None:
    found = read(header(b"x.json", 512, kind) + header(b"y.txt", 512, kind) + file(b"z.json", b"z") + END)

    assert found == [
        TarEntry("x.json", SESSION, reason, refused=True),
        TarEntry("y.txt", OTHER, "not a regular file"),
        session("z.json", b"z"),
    ]


def test_a_type_that_is_not_known_has_data_and_is_refused() -> None:
    found = read(file(b"x.json", b"abc", b"Z") + file(b"y.json", b"y") + END)

    assert found == [TarEntry("x.json", SESSION, "it is not a regular file", refused=True), session("y.json", b"y")]


def test_a_folder_has_its_type_or_a_slash_at_its_end() -> None:
    folders = header(b"a.json", 512, b"5") + file(b"b.json/", b"abc") + file(b"c/", b"", b"\0")

    found = read(folders + file(b"y.json", b"y") + END)

    assert [entry.kind for entry in found] == [NOT_ASKED, NOT_ASKED, NOT_ASKED, SESSION]
    assert found[3] == session("y.json", b"y")


def test_a_link_with_a_slash_at_its_end_is_not_a_folder() -> None:
    (found,) = read(header(b"x.json/", 0, b"2") + END)

    assert found == TarEntry("x.json", SESSION, "it is a link", refused=True)


# Sparse files


@pytest.mark.parametrize("maps", [0, 1, 2, 3])
def test_the_maps_of_a_sparse_file_are_passed_over(maps: int) -> None:
    blocks = b"".join(bytes(504) + bytes([number < maps - 1]) + bytes(7) for number in range(maps))
    sparse = header(b"x.json", 3, b"S", b"ustar  \0", more={482: bytes([maps > 0])}) + blocks + padded(b"abc")

    found = read(sparse + file(b"y.json", b"y") + END)

    assert found == [TarEntry("x.json", SESSION, "it is a sparse file", refused=True), session("y.json", b"y")]


@pytest.mark.parametrize("records", [(b"GNU.sparse.major=1",), (b"mtime=1", b"GNU.sparse.name=x.json")])
def test_a_sparse_file_of_the_pax_format_is_refused(records: tuple[bytes, ...]) -> None:
    found = read(pax(*records) + file(b"x.json", b"abc") + file(b"y.json", b"y") + END)

    assert found == [TarEntry("x.json", SESSION, "it is a sparse file", refused=True), session("y.json", b"y")]


# Names


def test_a_long_name_holds_for_the_next_member_alone() -> None:
    long = file(b"././@LongLink", b"a/b.json\0", b"L")

    assert read(long + file(b"x.json", b"x") + file(b"y.json", b"y") + END) == [
        session("a/b.json", b"x"),
        session("y.json", b"y"),
    ]


def test_a_long_target_of_a_link_does_not_change_the_name() -> None:
    long, target = file(b"long", b"a.json\0z", b"L"), file(b"target", b"b.json\0", b"K")

    assert read(long + target + file(b"x.json", b"x") + END) == [session("a.json", b"x")]
    assert read(target + file(b"x.json", b"x") + END) == [session("x.json", b"x")]


@pytest.mark.parametrize("kind", [b"x", b"X"])
def test_an_extended_header_gives_name_and_size_of_the_next_member_alone(kind: bytes) -> None:
    extended = pax(b"path=a=b/c.json", b"size=3", b"comment=", kind=kind)

    assert read(extended + header(b"x.json", 0) + padded(b"abc") + file(b"y.json", b"y") + END) == [
        session("a=b/c.json", b"abc"),
        session("y.json", b"y"),
    ]


def test_the_name_of_an_extended_header_comes_before_a_long_name() -> None:
    found = read(pax(b"path=a.json") + file(b"long", b"b.json\0", b"L") + file(b"x.json", b"x") + END)

    assert found == [session("a.json", b"x")]


def test_a_name_and_its_prefix_fill_their_fields() -> None:
    name, prefix = b"n" * 95 + b".json", b"p" * 155

    (found,) = read(header(name, more={345: prefix, 500: b"x"}) + END)

    assert found.name == f"{prefix.decode()}/{name.decode()}"


@pytest.mark.parametrize("magic", [b"ustar  \0", bytes(8), b"other\x0000"])
def test_only_the_ustar_format_has_a_prefix(magic: bytes) -> None:
    (found,) = read(header(magic=magic, more={345: b"folder"}) + END)

    assert found == session("x.json", b"")


def test_a_name_that_is_not_utf8_keeps_its_bytes() -> None:
    (found,) = read(header(b"\xff.json") + END)

    assert found.name == "\udcff.json"


# Numbers and checksums


@pytest.mark.parametrize(
    "size",
    [
        b"00000000003\0",
        b"00000000003 ",
        b"          3\0",
        b"3\0junk     ",
        b"000000000003",
        b"\x80" + bytes(10) + b"\3",
    ],
)
def test_a_size_has_several_forms(size: bytes) -> None:
    assert read(header(size=size) + padded(b"abc") + END) == [session("x.json", b"abc")]


@pytest.mark.parametrize("size", [bytes(12), b" " * 12])
def test_a_size_without_digits_is_zero(size: bytes) -> None:
    assert read(header(size=size) + END) == [session("x.json", b"")]


@pytest.mark.parametrize("size", [b"00000000008\0", b"-0000000001\0", b"0x10\0", b"\x81" + bytes(11), b"1 1\0"])
def test_a_size_that_is_not_a_number_is_damaged(size: bytes) -> None:
    with pytest.raises(DamagedError, match="a field is not a number"):
        read(header(size=size) + END)


def test_every_byte_of_a_large_size_counts() -> None:
    with pytest.raises(LimitError, match="max_total_bytes"):
        read(header(size=b"\x80\1" + bytes(10)) + END)


@pytest.mark.parametrize("signed", [False, True])
def test_a_checksum_sums_unsigned_or_signed_bytes(signed: bool) -> None:
    (found,) = read(header(b"\x7f\x80\xff.json", signed=signed) + END)

    assert found.name == "\x7f\udc80\udcff.json"


@pytest.mark.parametrize("at", [0, 100, 147, 148, 153, 156, 257, 511])
def test_a_header_with_a_wrong_checksum_is_damaged(at: int) -> None:
    block = bytearray(header())
    block[at] ^= 1

    with pytest.raises(DamagedError, match="its checksum is wrong"):
        read(bytes(block) + END)


# Extended headers


@pytest.mark.parametrize(
    "text",
    [
        b"nothing",
        b"99 path=x\n",
        b"9 path=x\n\n",
        b"10 path=xx",
        b"12 path=xx\n",
        b"8 path=x\n",
        b"0 path=x\n",
        b"3 \n=x\n",
        b"5 =x\n",
        b"10 path=x\n0 a=\n",
    ],
)
def test_an_extended_header_that_cannot_be_read_is_damaged(text: bytes) -> None:
    with pytest.raises(DamagedError, match=r"^the extended header of a member is damaged$"):
        read(file(b"pax", text, b"x") + file(b"x.json", b"") + END)


@pytest.mark.parametrize("size", [b"-1", b"1.5", b"", b"9" * 20, b"0x1"])
def test_an_extended_size_that_is_not_a_number_is_damaged(size: bytes) -> None:
    with pytest.raises(DamagedError, match="its size is not a number"):
        read(pax(b"size=" + size) + file(b"x.json", b"") + END)


@pytest.mark.parametrize("record", [b"path=x.json", b"size=1", b"GNU.sparse.major=1"])
def test_a_global_header_may_not_change_the_members(record: bytes) -> None:
    with pytest.raises(RefusedError, match=f"a global header sets the {record.partition(b'=')[0].decode()} of"):
        read(pax(b"comment=x", record, kind=b"g") + file(b"x.json", b"") + END)


def test_a_global_header_may_hold_other_values() -> None:
    found = read(pax(b"comment=path", b"mtime=1", kind=b"g") + file(b"x.json", b"x") + END)

    assert found == [session("x.json", b"x")]


@pytest.mark.parametrize(("kind", "bound"), [(b"L", 1 << 16), (b"K", 1 << 16), (b"x", 1 << 20), (b"g", 1 << 20)])
def test_an_extended_header_has_a_bounded_size(kind: bytes, bound: int) -> None:
    with pytest.raises(DamagedError, match="it is cut"):
        read(header(b"x", bound, kind))

    with pytest.raises(RefusedError, match=f"an extended header has {bound + 1:,} bytes"):
        read(header(b"x", bound + 1, kind))


# Limits and ends


def test_every_header_counts_as_a_member() -> None:
    data = pax(b"mtime=1") + file(b"x.json", b"") + file(b"y.txt", b"") + END

    assert len(read(data, ContainerLimits(max_members=3))) == 2
    with pytest.raises(LimitError, match="max_members"):
        read(data, ContainerLimits(max_members=2))


def test_a_large_member_is_refused_before_it_is_read() -> None:
    with pytest.raises(LimitError, match="max_member_bytes"):
        read(header(size=101), ContainerLimits(max_member_bytes=100))

    with pytest.raises(LimitError, match="max_total_bytes"):
        read(header(b"x.bin", size=2000), ContainerLimits(max_total_bytes=1999))


def test_a_large_member_that_is_not_read_is_passed_over() -> None:
    (found,) = read(file(b"x.bin", bytes(200)) + END, ContainerLimits(max_member_bytes=100))

    assert found == TarEntry("x.bin", OTHER, "other ending")


@pytest.mark.parametrize("name", [b"x.json", b"x.txt"])
@pytest.mark.parametrize("has_room", [True, False])
@pytest.mark.parametrize("left", [0, 100, 511, 512, 600, 1023])
def test_a_member_that_is_cut_is_damaged(name: bytes, has_room: bool, left: int) -> None:
    with pytest.raises(DamagedError, match=r"^it is cut: it ends before its end mark$"):
        read(file(name, b"a" * 513)[: 512 + left], has_room=has_room)


@pytest.mark.parametrize("zeros", [512, 1024, 10240, 100_001])
def test_zeros_end_an_archive(zeros: int) -> None:
    assert read(file(b"x.json", b"x") + bytes(zeros)) == [session("x.json", b"x")]


@pytest.mark.parametrize("data", [b"", bytes(511)])
def test_an_archive_without_its_end_is_cut(data: bytes) -> None:
    with pytest.raises(DamagedError, match="it is cut"):
        read(file(b"x.json", b"x") + data)


@pytest.mark.parametrize("zeros", [0, 1, 1000, 70_000])
def test_data_behind_the_end_is_damage(zeros: int) -> None:
    with pytest.raises(DamagedError, match="other data follows the end of the archive"):
        read(file(b"x.json", b"x") + END + bytes(zeros) + b"\1")


class Zeros:
    """A stream of zeros."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._piece = bytes(1 << 16)

    def upto(self, size: int) -> bytes:
        size = min(size, self._left)
        self._left -= size
        return self._piece[:size] if size <= len(self._piece) else bytes(size)

    def skip(self, size: int) -> int:
        raise NotImplementedError


@pytest.mark.parametrize(("zeros", "is_refused"), [(1 << 26, False), ((1 << 26) + 1, True)])
def test_64_megabytes_of_zeros_may_follow_the_end(zeros: int, is_refused: bool) -> None:
    budget = Budget(DEFAULT_LIMITS, 1)
    found = entries(Zeros(512 + zeros), MemberFilter(), budget, lambda size: True)

    if is_refused:
        with pytest.raises(RefusedError, match="more than 67,108,864 zeros follow"):
            list(found)
    else:
        assert list(found) == []
