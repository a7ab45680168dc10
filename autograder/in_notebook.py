"""What a notebook calls: ``check`` puts a question to the answer in it, ``failing`` takes the failing case in hand,
``use_reference`` gives a helper of the course to go on with.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from typing import Any

from autograder.catalogue import OWN, Catalogue, UnknownQuestionError
from autograder.failing_case import FailingCase, failing_case
from autograder.follow_on import in_kernel
from autograder.judging import PUBLIC_SEED, run
from autograder.message import html, plain
from autograder.question import Question
from autograder.reference import taken
from autograder.result import Result

__all__ = ["UnknownQuestionError", "check", "failing", "find", "use_reference"]

_LAST: dict[str, tuple[Result, Question, Mapping[str, Any]]] = {}


@cache
def _catalogues(here: Path) -> tuple[Catalogue, ...]:
    """The questions of the course that a folder is in, if it is in one, and those of this package."""
    around = (folder / "checks" for folder in (here, *here.parents))
    return (
        *(Catalogue(place) for place in around if place.is_dir() and any(place.glob("*/*.py"))),
        Catalogue(OWN),
    )


def find(question: str) -> Question:
    """A question by its id, of the course that the working folder is in or of this package.

    Raises:
        UnknownQuestionError: no question has this id; the message lists those that exist.
    """
    found = _catalogues(Path.cwd())
    for catalogue in found:
        with contextlib.suppress(UnknownQuestionError):
            return catalogue[question]
    return found[0][question]  # which says what there is, in the course that the notebook is in


def _references(question: str = "") -> dict[str, Path]:
    """Files of references by question: of all sets, or of the one that a question is in."""
    found = reversed(_catalogues(Path.cwd()))
    return {id: file for one in found for id, file in one.references(question).items()}


def use_reference(name: str) -> Any:
    """A function or class of an earlier question, the course's own, to go on with where yours is not right yet.

    It costs nothing in later questions, is noted, and gets no points as the answer to its own question:
    ``kernel = use_reference("kernel")``.

    Args:
        name: its name; with the question before it, ``"<set>.<question>.<name>"``, where several sets have one.

    Raises:
        ValueError: there is none, or there are several; the message lists them.
    """
    return taken(name, _references())


def _display(result: Result) -> None:
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        print(plain(result))
        return
    from IPython.display import display

    display(  # type: ignore[no-untyped-call]
        {"text/plain": plain(result), "text/html": html(result)},
        raw=True,
        metadata={"autograder": asdict(result)},
    )


def check(
    question: str, *, hint: int = 0, namespace: Mapping[str, Any] | None = None, seed: int = PUBLIC_SEED
) -> float:
    """Check the answer to a question: shows what is right and what is not yet, and gives the score.

    Args:
        question: the question's id, ``"<set>.<question>"``.
        hint: 0 for none, 1 to 3 for that many hints.
        namespace: where the answer is; by default the notebook (or module) that calls.
        seed: draws the inputs; grading uses one that is not known beforehand.

    Returns:
        The score, a plain float. As the last expression of a graded cell, nbgrader reads it as the points.

    Raises:
        UnknownQuestionError: no question has this id.
        ValueError: ``hint`` is not 0, 1, 2 or 3.
    """
    if hint not in (0, 1, 2, 3):
        raise ValueError(f"hint must be 0, 1, 2 or 3; got {hint!r}")
    if namespace is None:
        caller = sys._getframe(1)
        namespace = {**caller.f_globals, **caller.f_locals}
    asked = find(question)
    result = run(asked, namespace, seed=seed, hint=hint)
    result = in_kernel(
        asked, namespace, result, find=find, files=_references(asked.id), ask=partial(run, seed=seed)
    )
    _LAST[asked.id] = result, asked, namespace
    _display(result)
    return result.score


def failing(question: str, group: str = "") -> FailingCase | None:
    """The first case that failed when a question was last checked: its arguments, what came back, what is right.

    Args:
        question: the question's id.
        group: one of its groups; by default the first that failed.

    Returns:
        The case, whose ``call()`` asks the answer again and whose ``plot()`` draws it; None when all was right.

    Raises:
        ValueError: the question has not been checked yet.
    """
    if question not in _LAST:
        raise ValueError(f'run check("{question}") first')
    result, asked, namespace = _LAST[question]
    return failing_case(result, asked, namespace, group)
