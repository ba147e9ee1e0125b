"""What a container may hold, and the ways in which it can be no container to read."""

from __future__ import annotations

from dataclasses import dataclass, fields

from clamp_analytics.errors import UsageError
from clamp_analytics.sources.files import UnreadableError


class DamagedError(UnreadableError):
    """It is cut, a checksum is wrong, or its parts contradict each other."""

    rule = "container-damaged"


class RefusedError(UnreadableError):
    """It can be read, but it is made in a way that honest telemetry is not."""

    rule = "container-refused"


class LimitError(UnreadableError):
    """It holds more than the limits allow."""

    rule = "container-limit"


class MismatchError(UnreadableError):
    """Its name promises another format than its bytes have."""

    rule = "container-mismatch"


@dataclass(frozen=True, slots=True)
class ContainerLimits:
    """How much is read out of one container before it is taken for a bomb.

    Attributes:
        max_member_bytes: the largest member that is read, in bytes; a member is held in memory.
        max_total_bytes: the most that a container may unpack to, in bytes.
        max_ratio: how many times its own size a container may unpack to, from ``ratio_from_bytes`` on.
        max_members: the most entries that a container may have, of whatever kind.
        ratio_from_bytes: what unpacks to less than this is no danger at any ratio, in bytes.

    Raises:
        UsageError: a limit is below 1.
    """

    max_member_bytes: int = 256_000_000
    max_total_bytes: int = 64_000_000_000
    # Telemetry shrinks 10 to 30 times, and at worst, when all records are equal, 260 times in gzip. Zeros reach 1,030.
    max_ratio: int = 300
    max_members: int = 500_000
    ratio_from_bytes: int = 256_000_000

    def __post_init__(self) -> None:
        for limit in fields(self):
            if getattr(self, limit.name) < 1:
                raise UsageError(f"the limit {limit.name} must be at least 1")


DEFAULT_LIMITS = ContainerLimits()


class Budget:
    """What was taken out of one container so far.

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
