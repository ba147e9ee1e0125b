"""Entry point of the command ``clamp-analytics``."""

from __future__ import annotations

import gc
import sys

from clamp_analytics import __version__


def main() -> None:
    """Run the command line; the version is answered before anything else is imported."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        sys.stdout.write(f"clamp-analytics {__version__}\n")
        return
    from clamp_analytics.cli import make_app

    try:
        make_app(*sys.argv[1:2])(prog_name="clamp-analytics")
    finally:
        # Python looks for cycles once more when it ends, which takes longer than many a command. DuckDB's binding
        # depends on it; it takes what is left for a leak.
        if "duckdb" not in sys.modules:
            gc.freeze()


if __name__ == "__main__":
    main()
