"""Stands in for the course's grader while a submission is graded: copied beside the student's library."""

from typing import Any

__all__ = ["check"]


def check(question: str, *, hint: int = 0, namespace: Any = None, seed: int = 0) -> float:
    """Does nothing here: the questions are graded outside of the submission's process."""
    return 0.0
