"""Builds containers, honest and otherwise, by means other than what is tested."""

from __future__ import annotations

import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from clamp_analytics.reading import Telemetry

Members = Mapping[str, bytes] | Sequence[tuple[str, bytes]]

TARS = ("tar", "tar.gz", "tgz", "tar.xz", "tar.zst")
KINDS = ("zip", *TARS)


def _pairs(members: Members) -> list[tuple[str, bytes]]:
    return list(members.items()) if isinstance(members, Mapping) else list(members)


def zstd(data: bytes) -> bytes:
    """One frame, compressed, without a checksum."""
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, "zstd") as stream:
        stream.write(data)
    return bytes(out.getvalue().to_pybytes())


def zstd_checked(data: bytes) -> bytes:
    """One frame of stored blocks with a checksum, after RFC 8878."""
    # Descriptor: the size of the content has eight bytes, and a checksum follows; then the size of the window.
    frame = b"\x28\xb5\x2f\xfd" + bytes([0b1100_0100, 0x50]) + struct.pack("<Q", len(data))
    blocks = [data[at : at + 1000] for at in range(0, len(data), 1000)]
    for number, block in enumerate(blocks):
        frame += (len(block) << 3 | (number == len(blocks) - 1)).to_bytes(3, "little") + block
    return frame + struct.pack("<L", xxh64(data) & 0xFFFFFFFF)


_P = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)
_MASK = 2**64 - 1


def _turned(value: int, by: int) -> int:
    return (value << by | value >> 64 - by) & _MASK


def _mixed(lane: int, value: int) -> int:
    return _turned((lane + value * _P[1]) & _MASK, 31) * _P[0] & _MASK


def xxh64(data: bytes) -> int:
    """XXH64 with seed 0, after https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md."""
    lanes = [(_P[0] + _P[1]) & _MASK, _P[1], 0, -_P[0] & _MASK]
    at = 0
    while len(data) - at >= 32:
        lanes = [_mixed(lane, value) for lane, value in zip(lanes, struct.unpack_from("<4Q", data, at), strict=True)]
        at += 32
    value = _P[4]
    if at:
        value = sum(_turned(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18), strict=True)) & _MASK
        for lane in lanes:
            value = ((value ^ _mixed(0, lane)) * _P[0] + _P[3]) & _MASK
    value = (value + len(data)) & _MASK
    while len(data) - at >= 8:
        value = (_turned(value ^ _mixed(0, int.from_bytes(data[at : at + 8], "little")), 27) * _P[0] + _P[3]) & _MASK
        at += 8
    if len(data) - at >= 4:
        value = value ^ int.from_bytes(data[at : at + 4], "little") * _P[0] & _MASK
        value = (_turned(value, 23) * _P[1] + _P[2]) & _MASK
        at += 4
    for byte in data[at:]:
        value = _turned(value ^ byte * _P[4] & _MASK, 11) * _P[0] & _MASK
    value = (value ^ value >> 33) * _P[1] & _MASK
    value = (value ^ value >> 29) * _P[2] & _MASK
    return value ^ value >> 32


def compressed(ending: str, data: bytes) -> bytes:
    """Data as the ending of a file name says."""
    if ending.endswith(("gz",)):
        return gzip.compress(data, mtime=0)
    if ending.endswith("xz"):
        return lzma.compress(data)
    return zstd(data) if ending.endswith("zst") else data


def a_zip(members: Members, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip as Python writes it; a name may occur twice."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in _pairs(members):
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            archive.writestr(info, data)
    return out.getvalue()


def a_tar(members: Members, form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar as Python writes it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, data in _pairs(members):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def tar_of(*infos: tarfile.TarInfo, form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar of members without data: links, devices, folders."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for info in infos:
            archive.addfile(info)
    return out.getvalue()


def entry(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    """A member of a tar that is not a regular file."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def build(kind: str, members: Members) -> bytes:
    """A container by its ending."""
    return a_zip(members) if kind == "zip" else compressed(kind, a_tar(members))


def local(name: bytes, data: bytes, *, method: int = 0, flags: int = 0, crc: int = 0, size: int | None = None) -> bytes:
    """A local header of a zip with its data."""
    size = len(data) if size is None else size
    return (
        struct.pack("<4s5H3L2H", b"PK\3\4", 20, flags, method, 0, 0, crc, len(data), size, len(name), 0) + name + data
    )


def central(
    name: bytes, packed: int, offset: int, *, method: int = 0, flags: int = 0, crc: int = 0, size: int | None = None
) -> bytes:
    """An entry of a zip's directory."""
    size = packed if size is None else size
    return (
        struct.pack(
            "<4s6H3L5H2L",
            *(b"PK\1\2", 20, 20, flags, method, 0, 0, crc, packed, size, len(name), 0, 0, 0, 0, 0, offset),
        )
        + name
    )


def directory_end(count: int, size: int, start: int) -> bytes:
    """The end of a zip."""
    return struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, size, start, 0)


def plain(telemetry: Telemetry, *prefixes: str) -> tuple[object, ...]:
    """Everything that was read, without these beginnings of names."""

    def short(value: object) -> object:
        if isinstance(value, str):
            for prefix in prefixes:
                value = value.replace(prefix, "")
        return value

    frames = (telemetry.sessions, telemetry.records, telemetry.violations)
    tables = [[tuple(map(short, row)) for row in frame.rows()] for frame in frames]
    return *tables, telemetry.counts


def container(folder: Path, name: str, data: bytes) -> Path:
    """A container in a folder."""
    folder.mkdir(exist_ok=True, parents=True)
    path = folder / name
    path.write_bytes(data)
    return path
