"""Mending: the student's cell with one small edit after the other, until one makes every case right.

Only definitions are run again, never the calls and plots beside them, and only in a copy: the first failing case ends an
edit. An edit that makes every case right is as true as the check is sharp.
"""

from __future__ import annotations

import ast
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from autograder.parsing import parsed
from autograder.perform import Seen, quiet
from autograder.proof.faults import Mutant

from .edits import edits, told
from .everywhere import everywhere, told_of_all

SECONDS = 8.0
"""Processor time for the edits of one question."""
EDITS = 600
"""Edits of one question that are tried at most, the same on every machine."""
EACH = 1.0
"""Processor time of one edit."""
LONGEST = 20_000
"""Characters of the longest cell that is edited: each edit is written out anew."""
_IDLE = 10.0
"""Seconds after which a process that uses no processor time is ended."""

See = Callable[[int], Seen]
Put = Callable[[Sequence[str]], See | None]
"""Runs the cells of an answer; gives what comes of a case, by its place, or None where a cell raises."""

_KEPT = ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign


def definitions(source: str) -> str:
    """What a cell defines, without what it does beside."""
    tree = parsed(source)
    return ast.unparse(ast.Module([part for part in tree.body if isinstance(part, _KEPT)], []))


def mend(
    cells: Sequence[str],
    places: Sequence[int],
    put: Put,
    right: Callable[[int, Seen], bool],
    over: Callable[[], bool],
) -> str:
    """The sentence for the first edit with which every case is right, or an empty one.

    Args:
        cells: those that the answer is made in.
        places: all cases, those that fail first.
        put: see there.
        right: whether what came of a case is right.
        over: whether no more is tried.
    """
    whole, tried = [definitions(cell) for cell in cells], 0
    for at, cell in enumerate(cells):
        for edit, sentence in _edits(cell, over) if len(cell) <= LONGEST else ():
            tried += 1
            if tried > EDITS or over():
                return ""
            see = put([*whole[:at], definitions(edit.source), *whole[at + 1 :]])
            if see is not None and all(right(place, see(place)) for place in places):
                return sentence(edit, cell)
    return ""


def _edits(cell: str, over: Callable[[], bool]) -> Iterator[tuple[Mutant, Callable[[Mutant, str], str]]]:
    """Edits with how each is told: copied slips first."""
    yield from ((one, told_of_all) for one in everywhere(cell))
    yield from ((one, told) for one in edits(cell, over))


class _Stopped(BaseException):
    """An edit took too long."""


def _stop(*_: object) -> None:
    raise _Stopped


def in_a_copy(
    answer: Mapping[str, Any],
    ask: Callable[[Mapping[str, Any], int], Seen],
    cells: Sequence[str],
    places: Sequence[int],
    right: Callable[[int, Seen], bool],
) -> str:
    """:func:`mend` in a forked copy of this process, of which nothing comes back but the sentence.

    Nothing is tried where a process cannot be copied safely (Windows, macOS), and nothing is found where the copy ends.
    """
    if not cells or not hasattr(os, "fork") or sys.platform == "darwin":
        return ""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with suppress(BaseException), os.fdopen(writing, "w") as out, quiet():
            json.dump(_in_child(answer, ask, cells, places, right), out)
        os._exit(0)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as back:
            if not _ready(back.fileno(), child):
                return ""
            with suppress(ValueError):
                return str(json.loads(back.read()))
            return ""
    finally:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _ready(file: int, child: int) -> bool:
    """Whether a process has written before it stands still; how long it takes on a busy machine is all the same."""
    used, clock = (
        -1.0,
        (~child << 3) | 2,
    )  # the processor's clock of another process, as clock_getcpuclockid gives it
    while not select.select([file], [], [], _IDLE)[0]:
        now = time.clock_gettime(clock)
        if now <= used:
            return False
        used = now
    return True


def _in_child(
    answer: Mapping[str, Any],
    ask: Callable[[Mapping[str, Any], int], Seen],
    cells: Sequence[str],
    places: Sequence[int],
    right: Callable[[int, Seen], bool],
) -> str:
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)  # a forked child has none of its parent's threads, and would wait for them
    begun, limit = time.process_time(), int(SECONDS + 2 * EACH) + 1
    used = int(begun) + limit
    resource.setrlimit(resource.RLIMIT_CPU, (used, used))
    signal.signal(signal.SIGPROF, _stop)

    def put(sources: Sequence[str]) -> See | None:
        signal.setitimer(signal.ITIMER_PROF, EACH)
        names = dict(answer)
        try:
            for source in sources:
                exec(compile(source, "<edited cell>", "exec"), names)
        except (_Stopped, Exception):
            return None
        return lambda place: ask(names, place)

    return mend(cells, places, put, right, lambda: time.process_time() - begun > SECONDS)
