"""Limits of what is read from one container, and the errors of containers that are not read."""

from __future__ import annotations

from dataclasses import dataclass, fields

from clamp_analytics.errors import UsageError
from clamp_analytics.sources.files import UnreadableError


class DamagedError(UnreadableError):
    """A container is cut or damaged: a checksum is wrong, or its parts contradict each other."""

    rule = "container-damaged"


class RefusedError(UnreadableError):
    """A container is readable, but built in a way that only serves to deceive or to overload a reader."""

    rule = "container-refused"


class LimitError(UnreadableError):
    """A container holds more than the limits allow."""

    rule = "container-limit"


class MismatchError(UnreadableError):
    """The name of a file indicates another format than its bytes."""

    rule = "container-mismatch"


@dataclass(frozen=True, slots=True)
class ContainerLimits:
    """How much is read from one container; more is taken for an attack.

    Attributes:
        max_member_bytes: the largest member that is read, in bytes; a member is held in memory.
        max_total_bytes: the most that a container may unpack to, in bytes.
        max_ratio: how many times its own size a container may unpack to, from ``ratio_from_bytes`` on.
        max_members: the most entries that a container may have, of whatever kind.
        ratio_from_bytes: size in bytes below which ``max_ratio`` does not apply.
        kept_bytes: decompressed bytes that are kept in memory until the end of a stream is checked; a longer stream is
            read twice.

    Raises:
        UsageError: a limit is below 1.
    """

    max_member_bytes: int = 256_000_000
    max_total_bytes: int = 64_000_000_000
    # Telemetry shrinks 10 to 30 times, and at worst, when all records are equal, 260 times in gzip. Zeros reach 1,030.
    max_ratio: int = 300
    max_members: int = 500_000
    ratio_from_bytes: int = 256_000_000
    kept_bytes: int = 64_000_000

    def __post_init__(self) -> None:
        for limit in fields(self):
            if getattr(self, limit.name) < 1:
                raise UsageError(f"the limit {limit.name} must be at least 1")


DEFAULT_LIMITS = ContainerLimits()


class Budget:
    """Counts what was read from one container, and checks it against the limits.

    Args:
        limits: how much there may be.
        packed_bytes: the size of the container on disk.
    """

    def __init__(self, limits: ContainerLimits, packed_bytes: int) -> None:
        self.limits = limits
        self._packed_bytes = packed_bytes
        self._members = self._total = 0

    def count_member(self, times: int = 1) -> None:
        """Count entries.

        Raises:
            LimitError: there are too many.
        """
        self._members += times
        if self._members > self.limits.max_members:
            raise LimitError(f"it has more than {self.limits.max_members:,} entries (max_members)")

    def check_member(self, name: str, size: int) -> None:
        """Check the size of a member before any of it is read.

        Raises:
            LimitError: it is too large.
        """
        if size > self.limits.max_member_bytes:
            raise LimitError(f"{name} has more than {self.limits.max_member_bytes:,} bytes (max_member_bytes)")

    def check_ahead(self, size: int) -> None:
        """Check what is announced before any of it is read.

        Raises:
            LimitError: with it, the container unpacks to too much.
        """
        total = self._total + size
        if total > self.limits.max_total_bytes:
            raise LimitError(f"it unpacks to more than {self.limits.max_total_bytes:,} bytes (max_total_bytes)")
        if total > self.limits.ratio_from_bytes and total > self.limits.max_ratio * self._packed_bytes:
            raise LimitError(f"it unpacks to more than {self.limits.max_ratio:,} times its size (max_ratio)")

    def take(self, size: int) -> None:
        """Count bytes that were unpacked.

        Raises:
            LimitError: the container unpacks to too much.
        """
        self.check_ahead(size)
        self._total += size
