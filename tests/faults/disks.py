"""Run a command on a disk that is full or broken, in a mount namespace of its own."""

from __future__ import annotations

import functools
import resource
import shutil
import subprocess
import sys
from pathlib import Path

from tests.faults.broken_device import NO_DISK
from tests.faults.commands import CALLS, command_line, environment

ROOT = Path(__file__).parents[2]

PAGE = 4096

ON_FULL_TMPFS = """
mount -t tmpfs -o size=8m tmpfs "$MOUNT" || exit 99
mkdir "$MOUNT/tmp" && cp -a "$WORK" "$MOUNT/work" && cd "$MOUNT/work" || exit 99
head -c 9M /dev/zero > ../fill 2> /dev/null
truncate -s "-$FREE" ../fill
TMPDIR="$MOUNT/tmp" timeout 300 "$@"
code=$?
rm ../fill
rm -r "$WORK" && cp -a . "$WORK" || exit 99
exit $code
"""

# What the page cache has taken is lost when it is flushed, which only fsync reports.
ON_FULL_DEVICE = """
mount -t tmpfs -o size=8m tmpfs "$MOUNT" || exit 99
cd "$MOUNT" && truncate -s 64M image && mkfs.ext4 -q -O ^has_journal -m0 image && mkdir disk || exit 99
mount -o loop image disk || exit 99
mkdir disk/tmp && cp -a "$WORK" disk/work && sync disk/work || exit 99
head -c 9M /dev/zero > fill 2> /dev/null
cd disk/work
TMPDIR="$MOUNT/disk/tmp" timeout 300 "$@"
code=$?
rm "$MOUNT/fill"
sync
rm -r "$WORK" && cp -a . "$WORK"
cd / && umount "$MOUNT/disk" || exit 99
exit $code
"""

# The end of the device is cut off behind the back of the file system.
FROM_BROKEN_DEVICE = """
mount -t tmpfs -o size=64m tmpfs "$MOUNT" || exit 99
cd "$MOUNT" && truncate -s 16M image && mkfs.ext4 -q -O ^has_journal -b 1024 image && mkdir disk || exit 99
device=$(losetup --find --show image) || exit 99
mount "$device" disk && cp -a "$SESSIONS" disk/sessions || exit 99
umount disk && truncate -s 5M image && mount -o ro "$device" disk || exit 99
cd "$WORK"
"$@"
code=$?
cat "$MOUNT"/disk/sessions/* > /dev/null 2> "$MOUNT/errors"
grep -q "Input/output error" "$MOUNT/errors" || code=99
umount "$MOUNT/disk"
losetup --detach "$device"
exit $code
"""


@functools.cache
def can_mount() -> bool:
    """Whether this process may mount a file system in a namespace of its own."""
    if not shutil.which("unshare"):
        return False
    command = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@functools.cache
def has_loop_devices() -> bool:
    """Whether this process may attach a loop device."""
    if not can_mount() or not shutil.which("losetup") or not shutil.which("mkfs.ext4"):
        return False
    return subprocess.run(["losetup", "--find"], capture_output=True, check=False).returncode == 0


def run_in_namespace(
    script: str, command: list[str], work: Path, **variables: object
) -> subprocess.CompletedProcess[str]:
    """Run a command by a script that mounts a disk; afterwards ``work`` holds what the command left there."""
    mount = work.parent / "mount"
    mount.mkdir(exist_ok=True)
    given = {"WORK": work, "MOUNT": mount, **variables}
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-c", script, "bash", *command],
        env={**environment(work), **{name: str(value) for name, value in given.items()}},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 99, done.stderr
    return done


def run_on_full_disk(name: str, sources: Path, work: Path, free: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the call of a command where only ``free`` bytes can be written."""
    if not can_mount():
        return run_with_file_limit(name, sources, work, free)
    command = [part.replace(f"{work}/", "") for part in command_line(name, sources, work)]
    return run_in_namespace(ON_FULL_TMPFS, command, work, FREE=free)


def run_on_broken_device(name: str, sources: Path, work: Path, options: str) -> subprocess.CompletedProcess[str]:
    """Run the call of a command where writing is an input/output error; the options are those of the mount."""
    mount = work.parent / "mount"
    mount.mkdir()
    command = [part.replace(f"{work}/", "") for part in command_line(name, sources, work)]
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-m", "tests.faults.broken_device", options, mount, work, *command],
        cwd=ROOT,
        env=environment(work),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != NO_DISK, done.stderr
    return done


def run_with_file_limit(name: str, sources: Path, work: Path, size: int) -> subprocess.CompletedProcess[str]:
    """Run the call of a command that can write no file larger than ``size`` bytes, on whatever disk."""

    def limit_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return subprocess.run(
        command_line(name, sources, work),
        cwd=work,
        env=environment(work),
        capture_output=True,
        text=True,
        preexec_fn=limit_files,
        check=False,
    )


WRITING = [name for name, call in CALLS.items() if call.output or call.changes_archive]
"""The commands that write files."""

READING_ONLY = [name for name in CALLS if name not in WRITING]
