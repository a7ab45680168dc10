"""The student's side: an IPython shell without a kernel, whose output is kept, up to a limit, as notebook outputs.

The same shell class that a Jupyter kernel is built on, so magics, the value of the last expression, ``display`` and
inline figures behave as they do for the student. Nothing of it is trusted; it lives in the worker's process.
"""

from __future__ import annotations

import io
import linecache
import mmap
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

from .messages import CellOutput, Display, Stream, Traceback, Value
from .timing import Budget, TimeLimit, call

__all__ = ["Outputs", "Shell", "plain_text", "spare_memory"]

KEPT = ("text/plain", "text/html", "text/markdown", "text/latex", "image/png", "image/jpeg", "image/svg+xml")
SPARE_BYTES = 8 << 20
StreamName = Literal["stdout", "stderr"]
Status = Literal["ok", "error", "time"]


@contextmanager
def spare_memory() -> Iterator[None]:
    """Keep some memory back for what follows, should the code within use up all there is."""
    spare = mmap.mmap(-1, SPARE_BYTES)  # address space, never touched
    try:
        yield
    finally:
        del spare


def plain_text(value: Any) -> str:
    """Text that every file can hold (no half surrogate pairs)."""
    return str(value).encode("utf-8", "replace").decode("utf-8")


@dataclass
class _Printed:
    """Consecutive text of one stream, in the pieces it came in."""

    name: StreamName
    pieces: list[str]


class Outputs:
    """Notebook outputs of one cell, in order, up to a number of bytes."""

    def __init__(self, limit: int) -> None:
        self.items: list[CellOutput | _Printed] = []
        self.left = limit
        self.limit = limit
        self.cut = False

    def _room(self, size: int) -> bool:
        self.left -= size
        if self.left >= 0:
            return True
        self.left = 0
        if not self.cut:
            self.cut = True
            self.items.append(Stream("stderr", f"\n[output beyond {self.limit // 1024} kB was dropped]\n"))
        return False

    def write(self, name: StreamName, text: str) -> None:
        """Add text to a stream; whole pieces that no longer fit are cut."""
        if self.cut:
            return
        text = plain_text(text)
        kept = text[: max(self.left, 0)]
        last = self.items[-1] if self.items else None
        if kept:
            if isinstance(last, _Printed) and last.name == name:
                last.pieces.append(kept)
            else:
                self.items.append(_Printed(name, [kept]))
        self._room(len(text.encode()))

    def show(self, kind: type[Display] | type[Value], data: dict[str, Any]) -> None:
        """Add a displayed value."""
        kept = {
            str(name): plain_text("".join(value) if isinstance(value, list) else value)
            for name, value in data.items()
            if name in KEPT
        }
        if self._room(sum(map(len, kept.values()))):
            self.items.append(kind(kept))

    def fail(self, name: str, text: str, lines: list[str]) -> None:
        """Add an error with its traceback."""
        lines = [plain_text(line)[:4000] for line in lines[-40:]]
        self.items.append(Traceback(plain_text(name)[:200], plain_text(text)[:4000], lines))

    @property
    def stopped(self) -> bool:
        """Whether the last of them tells that time was over."""
        last = self.items[-1] if self.items else None
        return isinstance(last, Traceback) and last.ename == TimeLimit.__name__

    def finished(self) -> list[CellOutput]:
        """The outputs as they are sent."""
        return [
            Stream(item.name, "".join(item.pieces)) if isinstance(item, _Printed) else item
            for item in self.items
        ]


class _Stream(io.TextIOBase):
    """``sys.stdout`` or ``sys.stderr`` of the student."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, shell: Shell, name: StreamName) -> None:
        self._shell, self.name = shell, name

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._shell.output.write(self.name, text)
        return len(text)


class _Publisher(DisplayPublisher):
    def publish(self, data: Any, metadata: Any = None, *_: Any, **__: Any) -> None:
        self.shell.output.show(Display, dict(data))

    def clear_output(self, wait: bool = False) -> None:
        self.shell.output.items.clear()


class _Hook(DisplayHook):
    def start_displayhook(self) -> None:
        pass

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        shell: Any = self.shell
        shell.output.show(Value, dict(format_dict))

    def finish_displayhook(self) -> None:
        pass


class Shell(InteractiveShell):
    """One student's session: ``run`` a cell, read its outputs."""

    displayhook_class = Type(_Hook)
    display_pub_class = Type(_Publisher)
    output: Outputs = Outputs(1 << 20)

    @classmethod
    def create(cls, folder: str) -> Shell:
        """A shell that keeps its few files below ``folder`` and starts no thread."""
        os.environ["IPYTHONDIR"] = folder
        config = Config()
        config.HistoryManager.enabled = False
        config.HistoryManager.hist_file = ":memory:"
        config.InteractiveShell.colors = "nocolor"
        shell: Shell = cls.instance(config=config)
        return shell

    def rehearse(self) -> None:
        """Run two empty cells and forget them: what only the first runs do, no worker has to do after the fork."""
        for _ in range(2):
            self.run_cell("None", store_history=True)  # type: ignore[no-untyped-call]
        self.reset()  # type: ignore[no-untyped-call]
        linecache.clearcache()  # of what was imported: each worker's first traceback would go through all of it

    def capture(self) -> None:
        """Send everything printed from now on into :attr:`output`."""
        sys.stdout, sys.stderr = _Stream(self, "stdout"), _Stream(self, "stderr")

    @contextmanager
    def _tee(self, channel: Literal["stdout", "stderr"]) -> Iterator[None]:
        """IPython would keep everything that is printed for its history, without a limit."""
        yield

    def enable_gui(self, gui: Any = None) -> None:
        """There is no window system; inline figures need nothing."""

    def ask_exit(self) -> None:
        """``exit()`` in a cell ends nothing."""

    def showtraceback(self, *arguments: Any, **options: Any) -> None:
        """Show the error at hand; where time or memory is used up, without a search for the lines, which takes both."""
        error = sys.exc_info()[1]
        if isinstance(error, TimeLimit | MemoryError):
            self.output.fail(type(error).__name__, plain_text(error), [])
        else:
            super().showtraceback(*arguments, **options)

    def _showtraceback(self, etype: type[BaseException], evalue: BaseException, stb: list[str]) -> None:
        try:
            text = str(evalue)
        except Exception:
            text = "(the exception has no text)"
        self.output.fail(getattr(etype, "__name__", "Error"), text, [str(line) for line in stb])

    def run(self, source: str, budget: Budget, limit: int) -> tuple[Status, list[CellOutput]]:
        """Run a cell: how it ended, and its outputs."""
        self.output = Outputs(limit)
        status: Status = "ok"
        try:
            with spare_memory():
                result = call(lambda: self.run_cell(source, store_history=True), budget)  # type: ignore[no-untyped-call]
            if result.error_in_exec is not None or result.error_before_exec is not None:
                status = "error"
        except BaseException as error:
            status = "error"
            if isinstance(error, TimeLimit) and self.output.stopped:  # told already, by showtraceback
                return "time", self.output.finished()
            if isinstance(
                error, UnboundLocalError
            ):  # of IPython's own, when there was no memory for its result
                error = MemoryError()
            name, text, link = type(error).__name__, plain_text(error), error.__context__
            while link is not None:  # used-up memory makes IPython's own handling fail in other ways
                name, text = ("MemoryError", "") if isinstance(link, MemoryError) else (name, text)
                link = link.__context__
            self.output.fail(name, text, [])
        return "time" if budget.over else status, self.output.finished()
