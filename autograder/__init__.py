"""Checks, grading and reports of the course.

A notebook needs one name of it: ``from autograder import check``.
"""

from __future__ import annotations

from autograder.checks import check

__all__ = ["check"]
