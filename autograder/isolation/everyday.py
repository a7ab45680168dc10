"""What works in a notebook's kernel and cannot in a sandbox: a quiet substitute, and a note where one may wonder.

A help for honest work and no barrier: the student's code can undo all of it, and the sandbox holds without it.
:func:`prepare` runs in the warm parent, :func:`in_one_process` in a worker that may start no processes.
"""

from __future__ import annotations

import builtins
import concurrent.futures
import concurrent.futures.process
import errno
import fnmatch
import functools
import getpass
import importlib
import inspect
import io
import multiprocessing
import multiprocessing.context
import multiprocessing.dummy
import multiprocessing.resource_tracker
import os
import pdb
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from typing import Any, NoReturn

__all__ = ["Remembered", "in_one_process", "nothing", "prepare"]

ANSWERS = 100
_NOT_RUN = "was not run: no program can be started while a notebook is graded"
_PROGRAMS = ("pip", "conda", "mamba", "micromamba", "uv")
_SCREEN = (
    "autosave",
    "clear",
    "connect_info",
    "edit",
    "less",
    "man",
    "more",
    "notebook",
    "qtconsole",
    "subshell",
)
_SCRIPTS = (
    "!", "script", "bash", "sh", "perl", "ruby", "javascript_node", "python", "python2", "python3", "pypy", "cmd",
    "sx", "system",
)  # fmt: skip


@functools.cache
def note(text: str) -> None:
    """Say something in the cell's output, once."""
    print(f"[{text}]", file=sys.stderr)


class _Nothing:
    """Whatever is asked of it does nothing: the kernel, which is not there."""

    def __bool__(self) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *_: Any, **__: Any) -> Any:
        return self


nothing = _Nothing()


class Remembered(dict[str, Any]):
    """IPython's database, in memory: ``keys`` takes a pattern, and what is not there can be deleted."""

    def __delitem__(self, key: str) -> None:
        self.pop(key, None)

    def keys(self, pattern: str = "*") -> Any:
        return [key for key in self if fnmatch.fnmatchcase(key, pattern)]


def _put(place: Any, **things: Any) -> None:
    for name, thing in things.items():
        setattr(place, name, thing)


def not_run(command: str) -> None:
    """Say that a program was not run."""
    note(f"`{' '.join(command.split())[:80]}` {_NOT_RUN}")


# --------------------------------------------------------------------------------------------------------- magics


def _cell_as_it_is(shell: Any, cell: str | None) -> None:
    """Run a cell without the magic at its head; an error ends it as it would without."""
    if cell is not None:
        shell.run_cell(cell).raise_error()


def unknown_magic(shell: Any, name: str, cell: str | None = None) -> None:
    """A magic that is not there, because the extension that brings it is not: the cell runs without it."""
    note(f"the magic `{name}` is not known while a notebook is graded; what stands below it is run without")
    _cell_as_it_is(shell, cell)


def _magics(shell: Any) -> None:
    """Magics that need a program, a screen or a person."""

    def program(line: str = "", cell: str | None = None) -> None:
        not_run(line or cell or "")

    def screen(line: str = "", cell: str | None = None) -> None:
        _cell_as_it_is(shell, cell)

    def add(kind: str, name: str, function: Callable[..., Any]) -> None:
        shell.register_magic_function(function, kind, name)

    for name in _PROGRAMS:
        add("line", name, lambda line, name=name: program(f"{name} {line}"))
    for name in _SCRIPTS:
        add("cell", name, program)
    for name in _SCREEN:
        add("line", name, screen)
    for name in ("debug", "pdb"):
        add("line_cell", name, screen)


def _extensions(shell: Any) -> None:
    """Extensions that are not installed are left out; the one that every kernel has is loaded."""

    def load(module: str, *, given: Callable[[str], Any]) -> Any:
        try:
            return given(module)
        except ImportError as error:
            return note(f"the extension `{module}` is not there while a notebook is graded: {error}")

    manager = shell.extension_manager
    for name in ("load_extension", "reload_extension"):
        _put(manager, **{name: functools.partial(load, given=getattr(manager, name))})
    manager.load_extension("storemagic")


# ---------------------------------------------------------------------------------------- the keyboard and the screen


def _no_person() -> None:
    """``input`` and the like: an empty answer, and no more of them where the code goes on asking."""
    asked = count(1)

    def answer(prompt: object = "", *_: Any, **__: Any) -> str:
        print(prompt, end="")
        note("`input` and `getpass` give an empty text while a notebook is graded: nobody is there to answer")
        if next(asked) > ANSWERS:
            raise EOFError(f"nobody is there to answer, and {ANSWERS} questions were asked")
        return ""

    def stop(*_: Any, **__: Any) -> None:
        note("a breakpoint does not stop while a notebook is graded")

    _put(builtins, input=answer, breakpoint=stop)
    _put(getpass, getpass=answer)
    _put(pdb, set_trace=stop)
    _put(sys, breakpointhook=stop)


def _no_screen() -> None:
    """Figures are drawn inline and without LaTeX, which is a program of its own, whatever is asked for."""
    import matplotlib as mpl

    _put(mpl, use=lambda *_, **__: None)
    mpl.RcParams.validate["text.usetex"] = lambda value: False


def _no_compiler() -> None:
    """``torch.compile`` gives back what it was given: the compiler is a program of its own."""
    import torch

    def compile(model: Any = None, **_: Any) -> Any:
        return (lambda function: function) if model is None else model

    _put(torch, compile=compile)


def prepare(shell: Any) -> None:
    """Make a shell, and the libraries that are loaded, do without a kernel, a person, a screen and a compiler."""
    shell.kernel, shell.db = nothing, Remembered()
    shell.events.register("pre_run_cell", lambda *_: importlib.invalidate_caches())
    _magics(shell)
    _extensions(shell)
    _no_person()
    _no_screen()
    _no_compiler()


# ------------------------------------------------------------------------------------------------------ no processes


def _no_programs() -> None:
    def refused(self: Any, args: Any = "", *_: Any, **__: Any) -> NoReturn:
        text = "no program can be started while a notebook is graded"
        raise PermissionError(errno.EPERM, text, str(args if isinstance(args, str) else list(args)[:3])[:80])

    def system(command: Any) -> int:
        not_run(str(command))
        return 127  # what a shell gives for a command that it does not find

    def popen(command: Any, *_: Any, **__: Any) -> io.StringIO:
        not_run(str(command))
        return io.StringIO()

    _put(subprocess.Popen, __init__=refused)
    _put(os, system=system, popen=popen)


class _Thread(multiprocessing.dummy.DummyProcess):
    """A thread that takes what a process takes; it ends by itself only."""

    def __init__(self, *args: Any, daemon: bool = True, **options: Any) -> None:
        super().__init__(*args, **options)

    @property
    def pid(self) -> int:
        return os.getpid()

    def terminate(self) -> None:
        """It goes on to its end, which nobody waits for."""

    kill = close = terminate


class _Manager:
    """Lists, dictionaries and queues of this process."""

    def __enter__(self) -> _Manager:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return getattr(multiprocessing.dummy, name)


def _one_by_one(
    fn: Callable[..., Any], args: tuple[Any, ...] = (), nprocs: int = 1, *_: Any, **__: Any
) -> None:
    for number in range(nprocs):
        fn(number, *args)


def _threads() -> None:
    """Pools and processes of Python become threads of this one."""
    pool = multiprocessing.dummy.Pool
    _put(multiprocessing.resource_tracker, register=lambda *_: None, unregister=lambda *_: None)
    _put(multiprocessing, Pool=pool, Process=_Thread, Manager=_Manager)
    for name in multiprocessing.get_all_start_methods():
        _put(type(multiprocessing.get_context(name)), Process=_Thread, Pool=staticmethod(pool))
    _put(multiprocessing.context.BaseContext, Manager=staticmethod(_Manager))
    if (of_torch := sys.modules.get("torch.multiprocessing")) is not None:
        _put(of_torch, Pool=pool, Process=_Thread, Manager=_Manager, spawn=_one_by_one)

    class ProcessPoolExecutor(concurrent.futures.ThreadPoolExecutor):
        """Threads, whatever is said of processes."""

        def __init__(self, max_workers: int | None = None, *_: Any, **options: Any) -> None:
            kept = {name: options[name] for name in ("initializer", "initargs") if name in options}
            super().__init__(max_workers, **kept)

    for module in (concurrent.futures, concurrent.futures.process):
        _put(module, ProcessPoolExecutor=ProcessPoolExecutor)


def _no_loader_processes() -> None:
    from torch.utils.data import DataLoader

    made = DataLoader.__init__
    signature = inspect.signature(made)

    @functools.wraps(made)
    def init(self: Any, *args: Any, **options: Any) -> None:
        try:
            given = signature.bind(self, *args, **options)
        except TypeError:
            made(self, *args, **options)
            return
        if given.arguments.get("num_workers"):
            for name in ("num_workers", "prefetch_factor", "persistent_workers", "timeout"):
                given.arguments.pop(name, None)
            given.arguments.pop("multiprocessing_context", None)
        made(*given.args, **given.kwargs)

    _put(DataLoader, __init__=init)


def in_one_process() -> None:
    """Do without processes: programs are refused in words, pools become threads, loaders load by themselves."""
    _no_programs()
    _threads()
    _no_loader_processes()
    os.environ["JOBLIB_MULTIPROCESSING"] = "0"
