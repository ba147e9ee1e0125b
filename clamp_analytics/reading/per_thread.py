"""State that each thread keeps between tasks: buffers for file contents, and the JSON layouts it has decoded.

Both only make reading faster. They belong to one thread because they change while a file is decoded.
"""

from __future__ import annotations

import threading

from clamp_analytics.decode.typed import KeyLayouts


class Buffers:
    """Reusable memory for file contents; allocating it anew costs as much as reading a file.

    The content of a buffer is valid until the next batch is read.
    """

    def __init__(self) -> None:
        self._file_buffers: list[bytearray] = []
        self._part_buffer = bytearray()

    def for_files(self, count: int) -> list[bytearray]:
        """One buffer for each file of a batch."""
        del self._file_buffers[count:]
        # A buffer with an open memoryview cannot be resized, so it is replaced by a new one.
        self._file_buffers = [buffer if _is_resizable(buffer) else bytearray() for buffer in self._file_buffers]
        self._file_buffers += [bytearray() for _ in range(count - len(self._file_buffers))]
        return self._file_buffers

    def for_part(self, size: int) -> bytearray:
        """A buffer of at least ``size`` bytes for a part of a large file."""
        if len(self._part_buffer) < size:
            self._part_buffer = bytearray(size)
        return self._part_buffer


def _is_resizable(buffer: bytearray) -> bool:
    try:
        buffer.append(0)
    except BufferError:
        return False
    return True


class _ThreadState(threading.local):
    def __init__(self) -> None:
        self.buffers = Buffers()
        self.layouts = KeyLayouts()


_STATE = _ThreadState()


def thread_buffers() -> Buffers:
    """The buffers of the current thread."""
    return _STATE.buffers


def thread_layouts() -> KeyLayouts:
    """The JSON layouts that the current thread has met so far."""
    return _STATE.layouts
