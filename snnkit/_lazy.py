"""Submodules of a package that are imported when they are first asked for."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Sequence
from types import ModuleType


def submodules(path: Iterable[str]) -> list[str]:
    """Names of the public modules in the folders of a package, its ``__path__``."""
    return sorted(module.name for module in pkgutil.iter_modules(path) if not module.name.startswith("_"))


def submodule(package: str, names: Sequence[str], name: str) -> ModuleType:
    """Import one of the submodules ``names`` of a package, or raise the AttributeError of a missing name."""
    if name in names:
        return importlib.import_module(f"{package}.{name}")
    raise AttributeError(f"module {package!r} has no attribute {name!r}; its modules are {', '.join(names)}")
