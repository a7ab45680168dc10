"""The grader: questions, what is right and wrong about an answer, isolation, grades and reports.

A notebook needs ``from autograder import check`` (``failing`` for the failing case, ``use_reference`` to go on with a helper
of the course), the file of a small question ``from autograder import light``. Names are imported when they are asked for, so that the command line answers at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autograder.in_notebook import check, failing, use_reference
    from autograder.light_form import light

__all__ = ["check", "failing", "light", "use_reference"]

_PLACES = {
    "check": "in_notebook",
    "failing": "in_notebook",
    "light": "light_form",
    "use_reference": "in_notebook",
}


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(importlib.import_module(f"autograder.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
