"""Something done in a process of its own, so that what it does to the interpreter stays there."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable


def apart(work: Callable[[], str]) -> str:
    """What ``work`` gives in a copy of this process, or its traceback."""
    there, here = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            text = work()
        except BaseException:
            text = traceback.format_exc()
        with os.fdopen(here, "w") as pipe:
            pipe.write(text)
        os._exit(0)
    os.close(here)
    with os.fdopen(there) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return text
