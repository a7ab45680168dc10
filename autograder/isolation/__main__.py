"""``python -m autograder.isolation``: try the layers of the sandbox and print which of them work here."""

from __future__ import annotations

import sys

from . import sandbox


def main() -> int:
    """Print the table; the exit status is 1 where grading would be refused."""
    layers = sandbox.probe()
    print(layers)
    try:
        sandbox.require(layers)
    except sandbox.IsolationError as error:
        print(f"\n{str(error).split(chr(10) * 2)[0]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
