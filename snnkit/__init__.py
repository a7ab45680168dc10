"""snnkit: the reference library of the course on spiking neural networks.

Sub-modules are imported on first use, so that ``import snnkit`` stays cheap:

>>> import snnkit
>>> snnkit.dynamics.lif_step  # doctest: +ELLIPSIS
<function lif_step at ...>
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

__version__ = "0.1.0"

__all__ = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(
        f"module {__name__!r} has no attribute {name!r}; its modules are {', '.join(__all__)}"
    )


def __dir__() -> list[str]:
    return [*globals(), *__all__]
