"""Checks, grading and reports of the course.

A notebook needs one name of it: ``from autograder import check``. It is imported when it is asked for, so that the
command line answers at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autograder.checks import check

__all__ = ["check"]


def __getattr__(name: str) -> Any:
    if name == "check":
        from autograder.checks import check

        return check
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
