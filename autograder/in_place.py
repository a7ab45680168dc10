"""Withheld names of the library refuse while an answer is asked in the notebook, as they do in grading.

It is the function that changes and not its name, so every alias, partial, closure and table refuses as well.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import sys
from collections.abc import Iterable, Iterator
from types import FunctionType
from typing import Any, NoReturn

from autograder.isolation.standin.withheld import Withheld
from autograder.reference import put_function

#: Methods that a class has for its own sake; nobody does the work of a question with them.
_LEFT = frozenset({"__repr__", "__hash__", "__eq__", "__init_subclass__", "__class_getitem__"})


class WithheldError(RuntimeError):
    """The library's own work was used where it is to be written."""

    says_all = True


def _refuse(name: str, used: list[str], /, *_: Any, **__: Any) -> NoReturn:
    used.append(name)
    raise WithheldError(f"this uses `{name}`, which this problem set asks you to write: 0 points when graded")


def _found(name: str) -> Any:
    """What a dotted name means, in the modules that are there; None where it means nothing."""
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        with contextlib.suppress(ImportError, AttributeError):
            value: Any = importlib.import_module(".".join(parts[:cut]))
            for part in parts[cut:]:
                value = inspect.getattr_static(value, part)
            return value
    return None


def _function(value: Any) -> Any:
    """The function below a method, property or partial; the value itself where there is none."""
    while True:
        if isinstance(value, staticmethod | classmethod):
            value = value.__func__
        elif isinstance(value, property):
            value = value.fget
        elif isinstance(value, functools.partial):
            value = value.func
        else:
            return value


def _put_constant(back: contextlib.ExitStack, package: str, value: Any, instead: Any) -> None:
    """Another value wherever a module of the package has this one."""
    modules = [module for name, module in sys.modules.items() if name.split(".")[0] == package]
    for space in map(vars, modules):
        for key in [key for key, one in space.items() if one is value]:
            back.callback(space.__setitem__, key, value)
            space[key] = instead


@contextlib.contextmanager
def refusing(names: Iterable[str], used: list[str]) -> Iterator[None]:
    """Inside, these names of the library raise :class:`WithheldError`.

    Args:
        names: dotted names of functions, classes, methods and constants; what does not exist refuses nothing.
        used: gets the name of each that was used, also where the error is caught.
    """
    # all are looked up before the first refuses: some modules use another's classes while they are imported
    meant = {name: _found(name) for name in names}
    with contextlib.ExitStack() as back:
        for name, value in meant.items():
            refusal = functools.partial(_refuse, name, used)
            if isinstance(value, type):
                for key, part in list(vars(value).items()):
                    if key not in _LEFT:
                        put_function(back, _function(part), refusal)
                if not isinstance(vars(value).get("__init__"), FunctionType):
                    _put_init(back, value, refusal)
            elif callable(_function(value)):
                put_function(back, _function(value), refusal)
            elif value is not None:
                _put_constant(back, name.split(".")[0], value, Withheld(name))
        yield


def _put_init(back: contextlib.ExitStack, holder: type, refusal: Any) -> None:
    """A class that is made by what it inherits refuses to be made."""

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        refusal()

    back.callback(delattr, holder, "__init__")
    holder.__init__ = init  # type: ignore[misc]
