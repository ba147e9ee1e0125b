"""Optional dependencies: the packages of each extra, and one error that names everything that is missing."""

from __future__ import annotations

from importlib.util import find_spec

from clamp_analytics.errors import UsageError

PACKAGES = {
    "charts": ("altair", "vl_convert"),
    "cloud": ("boto3", "obstore"),
    "cluster": ("distributed",),
    "drift": ("numpy", "scipy"),
    "lake": ("deltalake",),
    "prompt": ("prompt_toolkit",),
}
"""Import names of the packages that an extra installs."""


def require_extras(*extras: str) -> None:
    """Check that the packages of some extras are installed.

    Raises:
        UsageError: at least one package is missing; the message names all of them.
    """
    missing = {extra: [name for name in PACKAGES[extra] if find_spec(name) is None] for extra in sorted(extras)}
    names = [name for found in missing.values() for name in found]
    if names:
        raise UsageError.not_installed(names, *(extra for extra, found in missing.items() if found))
