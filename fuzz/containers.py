"""Reading containers against ``zipfile``, ``tarfile`` and ``gzip``: what both read is the same, byte for byte."""

from __future__ import annotations

import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Sequence
from pathlib import Path

import pyarrow as pa

from clamp_analytics.path_names import INSIDE
from clamp_analytics.sources import ContainerLimits, LazyMember, Member, Rejected, Skipped
from clamp_analytics.sources.containers.contents import read_container
from fuzz.target import DifferenceError

KINDS = (".zip", ".tar", ".tar.gz", ".tar.xz", ".tar.zst", ".json.gz", ".json.zst")
RAW, SALVAGE = 1, 2
"""Flags of the second byte: the rest is the file as it is, and damaged containers are salvaged."""

LIMITS = ContainerLimits(max_member_bytes=100_000, max_total_bytes=1_000_000, max_members=100, kept_bytes=2_000)
LOCAL = struct.Struct("<4s5H3L2H")
CENTRAL = struct.Struct("<4s6H3L5H2L")
BLOCK = 512
UNUSED = ((100, 108), (108, 116), (116, 124), (136, 148), (329, 337), (337, 345))
"""Numbers in a header of a tar that only ``tarfile`` reads: mode, user, group, time and device."""

NOT_SESSIONS = {"telemetry_summary.json", "rocm_snapshot.json", "clamp_export.json"}
Members = list[tuple[str, bytes]]
Result = Member | Rejected | LazyMember | Skipped


class ContainerTarget:
    """Reads each input as a file: its first byte is the kind, its second one the flags, and the rest the container.

    Checksums are put right unless the flags say otherwise, because nearly every mutation breaks them, and then nothing
    behind them is tested. For a compressed tar, the rest is the tar.
    """

    max_bytes = 4_000
    batch = 1
    dictionary = "containers.dict"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, data: bytes) -> None:
        if len(data) < 2:
            return
        ending, flags, content = KINDS[data[0] % len(KINDS)], data[1], data[2:]
        if not flags & RAW:
            content = packed(ending, content)
        path = self._folder / f"x{ending}"
        path.write_bytes(content)
        is_salvaged = bool(flags & SALVAGE)
        results = list(read_container(str(path), LIMITS, salvage=is_salvaged))
        try:
            check(ending, content, str(path), results, is_salvaged=is_salvaged)
        except AssertionError as error:
            raise DifferenceError(data, str(error)) from error

    def finish(self) -> None:
        """Nothing is kept."""


def check(ending: str, content: bytes, container: str, results: Sequence[Result], *, is_salvaged: bool) -> None:
    """Compare the members that were read with what Python's own modules read."""
    members = [(result.source, result.data) for result in results if isinstance(result, Member)]
    if ending == ".json.gz":
        assert not members or [data for _, data in members] == [gzip.decompress(content)]
        return
    prefix = container + INSIDE
    own = [(name.removeprefix(prefix), data) for name, data in members]
    # Members of inner containers and compressed members have no counterpart in the outer one.
    own = [(name, data) for name, data in own if INSIDE not in name and name.endswith(".json")]
    rejected = {result.source.removeprefix(prefix) for result in results if isinstance(result, Rejected)}
    if ending == ".json.zst" or not own:
        return
    if ending == ".zip":
        streamed = read_stream(content)
        others = {} if rejected else {"a streaming reader": streamed}
        found = None if is_salvaged else read_zip(content)
        others |= {} if found is None else {"zipfile": found}
    else:
        others = {"tarfile": read_tar(ending, content)}
    for who, found in others.items():
        compare(own, sessions(found), rejected, who, is_salvaged=is_salvaged)


def compare(own: Members, other: Members, rejected: Collection[str], who: str, *, is_salvaged: bool) -> None:
    if any(not name.isascii() or not name.isprintable() or "\\" in name for name, _ in [*own, *other]):
        # Names that are shown with escapes are tested elsewhere.
        own, other = [("", data) for _, data in own], [("", data) for _, data in other]
        rejected = [*rejected, ""] if rejected else []
    missing = [pair for pair in own if pair not in other]
    assert not missing, f"{who} does not read {missing!r:.300} but {other!r:.300}"
    more = [pair for pair in other if pair not in own and pair[0] not in rejected]
    assert not more or is_salvaged, f"{who} also reads {more!r:.300}"


def sessions(members: Members) -> Members:
    """The members that are session files by their names, with their names without empty parts."""
    found = []
    for name, data in members:
        parts = [part for part in name.split("/") if part not in ("", ".")]
        is_session = not name.endswith("/") and parts and parts[-1].endswith(".json") and parts[-1] not in NOT_SESSIONS
        if is_session and not any(part.startswith(".") for part in parts):
            found.append(("/".join(parts), data))
    return found


def read_zip(content: bytes) -> Members | None:
    """The members that ``zipfile`` reads without an error; None where it refuses all for a version that one needs."""
    found = []
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except NotImplementedError:
        return None
    with archive:
        for info in archive.infolist():
            try:
                found.append((raw_name(info), archive.read(info)))
            except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError):
                continue
    return found


def raw_name(info: zipfile.ZipInfo) -> str:
    """The name of a member as UTF-8, whatever its flag says."""
    if info.flag_bits & 0x800:
        return info.orig_filename
    data = info.orig_filename.encode("cp437")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return info.orig_filename


def read_stream(content: bytes) -> Members:
    """The intact members that a program finds which reads local headers one after another."""
    found = []
    at = 0
    while content[at : at + 4] == b"PK\3\4" and at + LOCAL.size <= len(content):
        _, _, flags, method, _, _, crc, size_packed, size, name_length, extra_length = LOCAL.unpack_from(content, at)
        name = content[at + LOCAL.size :][:name_length]
        start = at + LOCAL.size + name_length + extra_length
        if 0xFFFFFFFF in (size_packed, size):
            size_packed = large_size(content[start - extra_length : start], size, size_packed)
        if flags & 8 and not size_packed:
            if method != 8:
                break
            engine = zlib.decompressobj(-15)
            try:
                data = engine.decompress(content[start:])
            except zlib.error:
                break
            end = len(content) - len(engine.unused_data)
            crc = zlib.crc32(data)
            end += 16 if content[end : end + 4] == b"PK\7\x08" else 12
        else:
            end = start + size_packed
            data = inflated(content[start:end], method)
        at = end
        if zlib.crc32(data) == crc and method in (0, 8) and not flags & 1:
            found.append((decoded(name), data))
    return found


def large_size(extra: bytes, size: int, size_packed: int) -> int:
    """The packed size from the zip64 field, in which the size comes first where it is there, too."""
    while len(extra) >= 4:
        tag, length = struct.unpack_from("<2H", extra)
        if tag == 1:
            values = extra[4 : 4 + length][8 if size == 0xFFFFFFFF else 0 :]
            return int.from_bytes(values[:8], "little") if size_packed == 0xFFFFFFFF else size_packed
        extra = extra[4 + length :]
    return size_packed


def decoded(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("cp437")


def inflated(data: bytes, method: int) -> bytes:
    """The content of a member; empty where it cannot be decompressed."""
    if method != 8:
        return data
    try:
        return zlib.decompressobj(-15).decompress(data, 1_000_000)
    except zlib.error:
        return b""


def read_tar(ending: str, content: bytes) -> Members:
    """The regular files that ``tarfile`` reads."""
    if ending == ".tar.zst":
        content = pa.CompressedInputStream(pa.BufferReader(content), "zstd").read()
    found: Members = []
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for info in archive:
                file = archive.extractfile(info) if info.isreg() and not info.issparse() else None
                if file is not None:
                    found.append((info.name, file.read()))
    except tarfile.ReadError:
        # It checks fields that do not matter for reading.
        return found
    return found


def packed(ending: str, content: bytes) -> bytes:
    """A container with correct checksums, compressed as its ending says."""
    content = with_zip_checksums(content) if ending == ".zip" else with_tar_checksums(content)
    if ending.endswith(".gz"):
        return gzip.compress(content, 1, mtime=0)
    if ending.endswith(".xz"):
        return lzma.compress(content, preset=0)
    if ending.endswith(".zst"):
        out = pa.BufferOutputStream()
        with pa.CompressedOutputStream(out, "zstd") as stream:
            stream.write(content)
        return bytes(out.getvalue())
    return content


def with_tar_checksums(content: bytes) -> bytes:
    """A tar in which every block that looks like a header has its checksum, and numbers where numbers belong."""
    data = bytearray(content)
    for at in range(0, len(data) - BLOCK + 1, BLOCK):
        if data[at + 257 : at + 262] == b"ustar":
            for begin, end in UNUSED:
                data[at + begin : at + end] = b"0" * (end - begin - 1) + b"\0"
            data[at + 148 : at + 156] = b" " * 8
            data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + BLOCK])
    return bytes(data)


def with_zip_checksums(content: bytes) -> bytes:
    """A zip in which each entry of the directory has the checksum and sizes of what lies at its offset."""
    data = bytearray(content)
    at = data.find(b"PK\1\2")
    while 0 <= at <= len(data) - CENTRAL.size:
        entry = CENTRAL.unpack_from(data, at)
        offset, method, size_packed = entry[16], entry[4], entry[8]
        if data[offset : offset + 4] == b"PK\3\4" and offset + LOCAL.size <= len(data):
            name_length, extra_length = LOCAL.unpack_from(data, offset)[-2:]
            start = offset + LOCAL.size + name_length + extra_length
            unpacked = inflated(bytes(data[start : start + size_packed]), method)
            struct.pack_into("<L", data, at + 16, zlib.crc32(unpacked))
            if not data[offset + 6] & 8:
                struct.pack_into("<L", data, offset + 14, zlib.crc32(unpacked))
        at = data.find(b"PK\1\2", at + 4)
    return bytes(data)


def target(folder: Path) -> ContainerTarget:
    return ContainerTarget(folder)
