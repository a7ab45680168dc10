"""Other programs on the machine: processes that compute without end, beside which every grade must stay what it is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

#: They end by themselves after so many seconds, should nobody be left to end them.
_LONGEST_S = 7200


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Keep the machine busy with ``count`` processes, each in a session of its own, which Linux gives a share of its own."""
    code = f"import time\nend = time.monotonic() + {_LONGEST_S}\nwhile time.monotonic() < end: sum(range(100_000))"
    with ExitStack() as stack:
        for _ in range(count):
            process = stack.enter_context(
                subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
            )
            stack.callback(process.kill)
        yield
