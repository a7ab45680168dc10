"""nbgrader's ``Execute``, replaced: the student's cells run in isolation, graded cells on this side.

In ``nbgrader_config.py``, or a ``Config`` that is handed to ``Autograde``::

    c.Autograde.autograde_preprocessors = [
        "autograder.isolation.preprocessor.IsolatedExecute", "nbgrader.preprocessors.IgnorePattern", ...
    ]

(:func:`use_isolation` does it). Everything else of nbgrader's stays: it has put back the locked cells before this, and
reads the scores from the outputs afterwards. A question's outputs are its message and, last, its score.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from nbformat.notebooknode import NotebookNode, from_dict
from nbgrader.preprocessors import Execute, NbGraderPreprocessor
from traitlets import Bool, Dict, Unicode

from autograder.catalogue import OWN, Catalogue
from autograder.graded import graded_again
from autograder.notebook import parse
from autograder.seeds import course_secret, student_seed

from . import runner
from .limits import Limits
from .source import shared_warm_parent

__all__ = ["IsolatedExecute", "use_isolation"]


def _node(data: dict[str, Any]) -> NotebookNode:
    return from_dict(data)  # type: ignore[no-any-return,no-untyped-call]


class IsolatedExecute(NbGraderPreprocessor):  # type: ignore[misc]
    """Runs a submission's cells in isolation and puts its questions to it."""

    unsafe = Bool(False, help="grade although files, network or processes cannot be isolated").tag(
        config=True
    )
    limits = Dict({}, help="what a submission may use; see autograder.isolation.limits.Limits").tag(
        config=True
    )
    folder = Unicode("", help="folder for the students' copies of the library and caches").tag(config=True)
    checks = Unicode(str(OWN), help="folder of the questions").tag(config=True)
    secret_file = Unicode("", help="file with the secret that the inputs are drawn from").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Fill in the outputs of all code cells.

        Raises:
            ValueError: the assignment has no checks.
        """
        problem_set, student = resources["nbgrader"]["assignment"], resources["nbgrader"]["student"]
        catalogue = Catalogue(Path(self.checks))
        if problem_set not in catalogue.sets():
            raise ValueError(f"{problem_set!r} has no checks; there are: {', '.join(catalogue.sets())}")
        seed = student_seed(course_secret(Path(self.secret_file)), student)
        play = partial(
            runner.play,
            parse(nb).cells,
            catalogue.questions(problem_set),
            seed,
            Limits(**self.limits),
            workers=shared_warm_parent(Path(self.folder), unsafe=self.unsafe),
        )
        graded, shown = play()
        if graded.stops:  # nbgrader grades one after the other: this is alone as well
            first, (graded, shown) = graded, play()
            self.log.warning("%s: %s", student, graded_again(first, graded).remarks[-1])
        for cell, outputs in zip(nb.cells, shown, strict=True):
            if cell.cell_type == "code":
                cell.outputs = list(map(_node, outputs))
        for name, mark in graded.questions.items():
            if mark.fault:
                self.log.warning("%s, %s: %s", student, name, mark.fault)
        return nb, resources


def use_isolation(config: Any, folder: Path, *, unsafe: bool = False, limits: Limits | None = None) -> Any:
    """Put :class:`IsolatedExecute` in the place of nbgrader's ``Execute``.

    Args:
        config: a traitlets ``Config``.
        folder: a private folder for the secret, the students' copies of the library and caches.
        unsafe: grade without isolation where there is none.
        limits: what a submission may use.

    Returns:
        ``config``.
    """
    from nbgrader.converters import Autograde

    steps = Autograde.autograde_preprocessors.default()
    config.Autograde.autograde_preprocessors = [
        IsolatedExecute if step is Execute else step for step in steps
    ]
    config.IsolatedExecute.unsafe = unsafe
    config.IsolatedExecute.folder = str(folder.resolve())
    config.IsolatedExecute.secret_file = str(folder.resolve() / "secret")
    config.IsolatedExecute.limits = (limits or Limits()).as_data()
    return config
