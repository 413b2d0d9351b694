"""Start the command line: `pipeline` or `python -m pipeline`."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code.

    Args:
        arguments: the command line without the program name; None takes `sys.argv`.
    """
    from pipeline.cli.app import app

    app(args=list(sys.argv[1:] if arguments is None else arguments), prog_name="pipeline")


if __name__ == "__main__":
    main()
