"""nbgrader's configuration for this course: `nbgrader autograde ps2_surrogates` and the others run from here.

Everything that nbgrader writes is under build/nbgrader. The settings themselves are in autograder/course.py, which
`snngrade` and `make exercises` use too.
"""

from pathlib import Path

from autograder.course import configure

configure(get_config(), Path(__file__).resolve().parent / "build" / "nbgrader")  # noqa: F821
