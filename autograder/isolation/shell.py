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
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.text import SList
from traitlets import Type
from traitlets.config import Config

from . import everyday
from .kept import Outputs, StreamName, plain_text
from .messages import CellOutput, Display, Value
from .timing import Budget, TimeLimit, call

__all__ = ["Shell", "spare_memory"]

SPARE_BYTES = 8 << 20
Status = Literal["ok", "error", "time"]


@contextmanager
def spare_memory() -> Iterator[None]:
    """Keep some memory back for what follows, should the code within use up all there is."""
    spare = mmap.mmap(-1, SPARE_BYTES)  # address space, never touched
    try:
        yield
    finally:
        del spare


class _Stream(io.TextIOBase):
    """``sys.stdout`` or ``sys.stderr`` of the student."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, shell: Shell, name: StreamName) -> None:
        self._shell, self.name = shell, name

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        """Of the null device: some libraries want a number."""
        return {"stdout": 1, "stderr": 2}[self.name]

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._shell.output.write(self.name, text)
        return len(text)


class _Publisher(DisplayPublisher):
    def publish(self, data: Any, metadata: Any = None, *_: Any, **__: Any) -> None:
        self.shell.output.show(Display, dict(data))

    def clear_output(self, wait: bool = False) -> None:
        self.shell.output.clear()


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
        everyday.prepare(self)
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

    def enable_matplotlib(self, gui: Any = None) -> Any:
        """Figures are drawn inline, whatever is asked for."""
        return super().enable_matplotlib("inline")  # type: ignore[no-untyped-call]

    def system(self, cmd: str) -> None:
        """``!command`` runs nothing."""
        everyday.not_run(cmd)
        self.user_ns["_exit_code"] = 0

    system_raw = system_piped = system

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> Any:
        """``lines = !command`` gives no lines."""
        everyday.not_run(cmd)
        return SList() if split else ""

    def run_line_magic(self, magic_name: str, line: str, _stack_depth: int = 1) -> Any:
        """Run a magic; one that is not there does nothing."""
        if self._find_with_lazy_load("line", magic_name) is None:
            return everyday.unknown_magic(self, f"%{magic_name}")
        return super().run_line_magic(magic_name, line, _stack_depth + 1)

    def run_cell_magic(self, magic_name: str, line: str, cell: str) -> Any:
        """Run a cell magic; a cell below one that is not there runs without it."""
        if self._find_with_lazy_load("cell", magic_name) is None:
            return everyday.unknown_magic(self, f"%%{magic_name}", cell)
        return super().run_cell_magic(magic_name, line, cell)  # type: ignore[no-untyped-call]

    def show_usage_error(self, exc: BaseException) -> None:
        """A magic that was used in a wrong way is an error like any other."""
        self.output.fail("UsageError", str(exc), [f"UsageError: {exc}"])

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
        name = getattr(etype, "__name__", "Error")
        self.output.fail(name, text, [str(line) for line in stb], self._own_line(evalue))

    def _own_line(self, error: BaseException) -> str:
        """The last line of the notebook's own that the error went through."""
        if isinstance(error, SyntaxError):
            return error.text or ""
        cells, place = self.compile._filename_map, ("", 0)
        for frame, number in traceback.walk_tb(error.__traceback__):
            if frame.f_code.co_filename in cells:
                place = (frame.f_code.co_filename, number)
        return linecache.getline(*place).strip()

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
