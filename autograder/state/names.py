"""Names of modules and classes that code can patch, compared with those that were shipped."""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple

# taken before anybody can have patched them
_all, _map, _is = all, map, operator.is_
GONE: Any = object()

#: Modules whose public functions and numbers are looked at.
_MODULES = frozenset(
    {"math", "cmath", "operator", "itertools", "functools", "collections", "random", "time", "copy", "observer"}
    | {"numpy", "numpy.random", "numpy.linalg", "numpy.fft", "scipy.special", "scipy.signal", "scipy.stats"}
    | {"torch", "torch.nn", "torch.nn.functional", "torch.nn.init", "torch.autograd", "torch.optim", "torch.linalg"}
    | {"torch.utils.data", "matplotlib.pyplot"}
)  # fmt: skip
#: Classes whose methods are looked at, by module.
_CLASSES = {
    "torch": ("Tensor", "Generator"),
    "torch.nn": (
        "Module",
        "Parameter",
        "Sequential",
        "Linear",
        "Conv2d",
        "AvgPool2d",
        "BatchNorm2d",
        "Flatten",
    ),
    "torch.autograd": ("Function",),
    "torch.optim": ("Optimizer", "Adam", "AdamW", "SGD"),
}
#: Of these every module and class.
_PACKAGES = ("snnkit", "spikingjelly.activation_based")
#: Names that a kernel, or a class by itself, sets anew.
_FREE = frozenset(
    {"_", "exit", "quit", "display", "get_ipython", "input", "__import__", "__build_class__", "__doc__", "__dict__"}
    | {"__weakref__", "__module__", "__annotations__", "__abstractmethods__", "_abc_impl", "__parameters__"}
    | {"__slotnames__"}
)  # fmt: skip


class Space(NamedTuple):
    """A module or class: a live view of its names, those that it was shipped with, and those that it inherits."""

    name: str
    holder: Any
    now: Mapping[str, Any]
    shipped: dict[str, Any]
    inherited: frozenset[str]


class Change(NamedTuple):
    """A name that is not as it was shipped; ``GONE`` where it is, or was, not there."""

    space: Space
    key: str
    ours: Any
    found: Any


def space_of_module(name: str, module: ModuleType) -> Space:
    public = {
        key: value
        for key, value in vars(module).items()
        if key[:1] != "_" and key not in _FREE and (callable(value) or isinstance(value, (int, float)))
    }
    return Space(name, module, vars(module), public, frozenset())


def _space_of_class(name: str, holder: type) -> Space:
    shipped = {key: value for key, value in vars(holder).items() if key not in _FREE}
    above = {key for one in holder.__mro__[1:] for key in vars(one)}
    return Space(name, holder, vars(holder), shipped, frozenset(above - _FREE - set(shipped)))


def spaces(name: str, module: ModuleType) -> Iterator[Space]:
    """What is looked at of a module."""
    every = f"{name}.".startswith(tuple(f"{package}." for package in _PACKAGES))
    if every or name in _MODULES:
        yield space_of_module(name, module)
    own = [key for key in vars(module) if every and getattr(vars(module)[key], "__module__", "") == name]
    for key in [*_CLASSES.get(name, ()), *own]:
        if isinstance(vars(module).get(key), type):
            yield _space_of_class(f"{name}.{key}", vars(module)[key])


def changes(space: Space) -> list[Change]:
    """What differs; of names that a class has on top only those that hide one that it inherits.

    Looks up no name of the builtins, which may be what was patched.
    """
    now, shipped = space.now, space.shipped
    if _all(_map(_is, _map(now.get, shipped), shipped.values())) and space.inherited.isdisjoint(now):
        return []
    changed = []
    for key, value in shipped.items():
        found = now.get(key, GONE)
        if found is not value:
            changed.append(Change(space, key, value, found))
    for key in space.inherited:
        if key in now:
            changed.append(Change(space, key, GONE, now[key]))
    return changed


def put(space: Space, key: str, value: Any) -> None:
    """Give a name of a module or class this value, or take it away."""
    if isinstance(space.now, dict):
        if value is GONE:
            del space.now[key]
        else:
            space.now[key] = value
    elif value is GONE:
        delattr(space.holder, key)
    else:
        setattr(space.holder, key, value)


def hooked(change: Change) -> bool:
    """Whether torch itself wrapped a name of its own: ``step`` with the first optimiser of a class, ``manual_seed`` with
    its compiler, which the optimisers load."""
    if getattr(change.found, "__wrapped__", None) is not change.ours:
        return False
    if change.key == "step":
        return True
    code = getattr(change.found, "__code__", None)
    folder = str(sys.modules["torch"].__file__).removesuffix("__init__.py") if "torch" in sys.modules else ""
    return code is not None and code.co_filename == f"{folder}_compile.py"
