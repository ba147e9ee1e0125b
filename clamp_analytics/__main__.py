"""Entry point of the command ``clamp-analytics``."""

from __future__ import annotations

import sys

from clamp_analytics import __version__


def main() -> None:
    """Run the command line; the version is answered before anything else is imported."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        sys.stdout.write(f"clamp-analytics {__version__}\n")
        return
    from clamp_analytics.cli import make_app

    make_app(*sys.argv[1:2])(prog_name="clamp-analytics")


if __name__ == "__main__":
    main()
