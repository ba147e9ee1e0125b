"""Memory that files are read to, one batch after the other: fresh memory costs as much as reading itself."""

from __future__ import annotations

import threading


class Buffers(threading.local):
    """This thread's buffers; what they hold is good until the next batch."""

    def __init__(self) -> None:
        self._kept: list[bytearray] = []
        self._part = bytearray()

    def of_files(self, count: int) -> list[bytearray]:
        """A buffer a file of a batch."""
        del self._kept[count:]
        # A buffer that something still looks into keeps its size for good, so its place is given to another.
        self._kept = [buffer if _is_free(buffer) else bytearray() for buffer in self._kept]
        self._kept += [bytearray() for _ in range(count - len(self._kept))]
        return self._kept

    def of_part(self, size: int) -> bytearray:
        """A buffer of at least ``size`` bytes."""
        if len(self._part) < size:
            self._part = bytearray(size)
        return self._part


def _is_free(buffer: bytearray) -> bool:
    try:
        buffer.append(0)
    except BufferError:
        return False
    return True


BUFFERS = Buffers()
