"""snnkit: the reference library of the course on spiking neural networks.

Sub-modules are imported on first use, so that ``import snnkit`` stays cheap:

>>> import snnkit
>>> snnkit.dynamics.lif_step  # doctest: +ELLIPSIS
<function lif_step at ...>
"""

from __future__ import annotations

from types import ModuleType

from snnkit._lazy import submodule, submodules

__version__ = "0.1.0"

__all__ = submodules(__path__)


def __getattr__(name: str) -> ModuleType:
    return submodule(__name__, __all__, name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
