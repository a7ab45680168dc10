"""Stands in for the course's grader while a submission is graded: copied beside the student's library."""

from pathlib import Path
from typing import Any

from autograder.reference import taken

__all__ = ["check", "failing", "use_reference"]

_REFERENCES = Path(__file__).resolve().parent / "references"
_ELSEWHERE = _REFERENCES.with_name("elsewhere")


def check(question: str, *, hint: int = 0, namespace: Any = None, seed: int = 0) -> float:
    """Does nothing here: the questions are graded outside of the submission's process."""
    return 0.0


class _Nothing:
    """No failing case: whatever is asked of it does nothing."""

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self


def use_reference(name: str) -> Any:
    """The course's own helper, as in the notebook; those are there that a cell names as plain text."""
    return taken(name, {file.name: file for file in _REFERENCES.iterdir()}, _ELSEWHERE.read_text().split())


def failing(question: str, group: str = "") -> Any:
    """Does nothing here, either."""
    return _Nothing()
