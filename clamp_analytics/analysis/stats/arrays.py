"""The types of arrays, and the error where numpy is not installed."""

from __future__ import annotations

from typing import TypeAlias

from clamp_analytics.errors import UsageError

try:
    import numpy as np
    import numpy.typing as npt
except ImportError as error:
    raise UsageError.not_installed(["numpy"], "drift") from error

__all__ = ["ArrayLike", "Bools", "Floats", "Integers", "np"]

ArrayLike: TypeAlias = npt.ArrayLike
Bools: TypeAlias = npt.NDArray[np.bool_]
Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]
