"""nbgrader's ``Execute``, replaced: the student's cells run in isolation, graded cells on this side.

In ``nbgrader_config.py``, or a ``Config`` that is handed to ``Autograde``::

    c.Autograde.autograde_preprocessors = [
        "autograder.isolation.preprocessor.IsolatedExecute", "nbgrader.preprocessors.IgnorePattern", ...
    ]

(:func:`use_isolation` does it). Everything else of nbgrader's stays: it has put back the locked cells before this, and
reads the scores from the outputs afterwards. A question's outputs are its message and, last, its score.
"""

from __future__ import annotations

import atexit
import os
import secrets
import threading
from pathlib import Path
from typing import Any

from nbformat.notebooknode import NotebookNode, from_dict
from nbgrader.preprocessors import Execute, NbGraderPreprocessor
from traitlets import Bool, Dict, Unicode

from autograder.checks import problem_sets
from autograder.checks.core import Result
from autograder.checks.message import html, plain

from . import runner
from .limits import Limits
from .supervisor import CellResult, Session, Zygote

__all__ = ["IsolatedExecute", "shared_zygote", "use_isolation"]

_LOCK = threading.Lock()
_SHARED: dict[tuple[int, str, bool], Zygote] = {}


def shared_zygote(folder: Path, *, unsafe: bool = False) -> Zygote:
    """This process's warm parent, ended with it.

    Args:
        folder: where the students' copies of the library and caches are kept.
        unsafe: see :class:`supervisor.Zygote`.
    """
    key = (os.getpid(), str(folder), unsafe)
    with _LOCK:
        if key not in _SHARED:
            _SHARED[key] = Zygote(folder / "copies", cache=folder / "warm", unsafe=unsafe)
            atexit.register(_SHARED[key].close)
        return _SHARED[key]


def course_secret(file: Path) -> bytes:
    """The secret that students' inputs are drawn from, made when there is none yet.

    Raises:
        OSError: the file cannot be written.
    """
    try:
        return bytes.fromhex(file.read_text().strip())
    except FileNotFoundError:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(secrets.token_hex(32) + "\n")
        return bytes.fromhex(file.read_text().strip())


def _node(data: dict[str, Any]) -> NotebookNode:
    return from_dict(data)  # type: ignore[no-any-return,no-untyped-call]


def _outputs_of(result: Result) -> list[NotebookNode]:
    """A question's message and its score, as the notebook's own ``check`` shows them."""
    failed = [group.id for group in result.groups if group.failure is not None]
    about = {"question": result.question, "misconceptions": list(result.misconceptions), "failed": failed}
    shown = {"text/plain": plain(result), "text/html": html(result)}
    score = {"text/plain": repr(result.score)}
    return [
        _node({"output_type": "display_data", "data": shown, "metadata": {"autograder": about}}),
        _node({"output_type": "execute_result", "execution_count": None, "data": score, "metadata": {}}),
    ]


def _error(name: str, text: str) -> NotebookNode:
    return _node({"output_type": "error", "ename": name, "evalue": text, "traceback": [f"{name}: {text}"]})


def _outputs_of_run(run: CellResult) -> list[NotebookNode]:
    numbered = {"execute_result": {"execution_count": None}}
    outputs = [_node({**output, **numbered.get(output["output_type"], {})}) for output in run.outputs]
    if run.status in ("died", "not run") or (run.status == "time" and not outputs):
        outputs.append(_error("Stopped", run.reason or "the time of this cell is over"))
    return outputs


class IsolatedExecute(NbGraderPreprocessor):  # type: ignore[misc]
    """Runs a submission's cells in isolation and puts its questions to it."""

    unsafe = Bool(False, help="grade although files, network or processes cannot be isolated").tag(
        config=True
    )
    limits = Dict({}, help="what a submission may use; see autograder.isolation.limits.Limits").tag(
        config=True
    )
    folder = Unicode("", help="folder for the students' copies of the library and caches").tag(config=True)
    secret_file = Unicode("", help="file with the secret that the inputs are drawn from").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Fill in the outputs of all code cells.

        Raises:
            ValueError: the assignment has no checks.
        """
        problem_set, student = resources["nbgrader"]["assignment"], resources["nbgrader"]["student"]
        if problem_set not in problem_sets():
            raise ValueError(f"{problem_set!r} has no checks; there are: {', '.join(problem_sets())}")
        folder = Path(self.folder)
        seed = runner.student_seed(course_secret(Path(self.secret_file)), student)
        zygote = shared_zygote(folder, unsafe=self.unsafe)
        cells = [runner._cell(cell) for cell in nb.cells]
        copy = runner.library_copy(problem_set, zygote.copies)
        with Session(zygote, copy, Limits(**self.limits)) as session:
            answers = runner.grade_cells(cells, problem_set, seed, session)
            for cell, answer in zip(nb.cells, answers, strict=True):
                if cell.cell_type != "code":
                    continue
                if answer.result is not None:
                    cell.outputs = _outputs_of(answer.result)
                elif answer.run is not None:
                    cell.outputs = _outputs_of_run(answer.run)
                else:  # without an output nbgrader would give full points
                    cell.outputs = [_error("NoCheck", f"no check grades this cell ({answer.cell.grade_id})")]
                if answer.problem:
                    self.log.warning("%s, %s: %s", student, answer.cell.grade_id, answer.problem)
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
