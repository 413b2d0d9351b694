"""Start the command line: `pipeline` or `python -m pipeline`."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code.

    Args:
        arguments: the command line without the program name; None takes `sys.argv`.
    """
    from pipeline.cli.streams import flush_or_discard, open_standard_streams
    from pipeline.cli.unexpected import show_unexpected

    words = list(sys.argv[1:] if arguments is None else arguments)
    open_standard_streams()
    try:
        from pipeline.cli.app import app

        app(args=words, prog_name="pipeline")
    except Exception as error:
        # What fails before a command runs, an import for one, is a bug as much as what fails in it.
        sys.exit(show_unexpected(error, as_json="--json" in words))
    finally:
        flush_or_discard(sys.stdout)
        flush_or_discard(sys.stderr)


if __name__ == "__main__":
    main()
