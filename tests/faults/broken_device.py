"""Run a command on a disk whose device reports an input/output error for everything that is written.

Usage, in a mount namespace of its own: ``python -m tests.faults.broken_device OPTIONS MOUNT WORK COMMAND...``

The command runs in a copy of the folder ``WORK``, which afterwards holds what the command left. With the mount option
``sync``, the error is reported when a file is created and when an existing one is written to; otherwise when a file is
flushed. The exit code is that of the command, or 99 where there is no such disk.

The disk is an ext4 file system in a file in memory, which is sealed against writing once the folder is on it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEGABYTE = 1 << 20
NO_DISK = 99


@contextmanager
def mounted(options: str, mount: Path) -> Iterator[int]:
    """Mount an empty file system, and yield the descriptor of the file that holds it."""
    image = os.memfd_create("disk", os.MFD_ALLOW_SEALING)
    os.truncate(image, 32 * MEGABYTE)
    path = f"/proc/{os.getpid()}/fd/{image}"
    run("mkfs.ext4", "-q", "-O", "^has_journal", path)
    device = run("losetup", "--find", "--show", path).strip()
    try:
        run("mount", "-o", options, device, str(mount))
        try:
            yield image
        finally:
            run("umount", "--lazy", str(mount))
    finally:
        run("losetup", "--detach", device)


def break_device(image: int, disk: Path) -> None:
    """Let every further write to the device fail."""
    os.sync()
    fcntl.fcntl(image, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
    if error_number_of_writing(disk / "probe") != errno.EIO:
        raise OSError("the device does not report an input/output error")


def error_number_of_writing(path: Path) -> int:
    """The error number of creating, writing and flushing a file; 0 where this works."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.write(descriptor, b"x")
        os.fsync(descriptor)
    except OSError as error:
        return error.errno or 0
    return 0


def run(*command: str) -> str:
    """Run a tool, and return its standard output."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main(options: str, mount: Path, work: Path, *command: str) -> int:
    """Run the command and return its exit code."""
    with mounted(options, mount) as image:
        copy, temporary = mount / "work", mount / "tmp"
        temporary.mkdir()
        shutil.copytree(work, copy)
        break_device(image, mount)
        code = subprocess.run(command, cwd=copy, env={**os.environ, "TMPDIR": str(temporary)}, check=False).returncode
        shutil.rmtree(work)
        shutil.copytree(copy, work, ignore=names_without_file)
    return code


def names_without_file(folder: str, names: list[str]) -> list[str]:
    """The entries of a folder whose file could not be created, because of the device."""
    return [name for name in names if not Path(folder, name).exists()]


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:]))
    except (OSError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(NO_DISK)
