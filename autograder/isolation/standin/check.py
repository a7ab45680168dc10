"""Stands in for the course's grader while a submission is graded: copied beside the student's library."""

from typing import Any

__all__ = ["check", "failing"]


def check(question: str, *, hint: int = 0, namespace: Any = None, seed: int = 0) -> float:
    """Does nothing here: the questions are graded outside of the submission's process."""
    return 0.0


class _Nothing:
    """No failing case: whatever is asked of it does nothing."""

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self


def failing(question: str, group: str = "") -> Any:
    """Does nothing here, either."""
    return _Nothing()
