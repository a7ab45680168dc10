"""The questions that come with the course, and ``check``, the one call that a notebook makes.

One folder per problem set, one module per question, named like it; its id begins with the part of the set's name
before the underscore (``<set>/<question>.py`` of ``ps2_surrogates``: ``ps2.<question>``).
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import cache
from typing import Any

from autograder.adapted import adapted
from autograder.catalogue import OWN, Catalogue, UnknownQuestionError
from autograder.checks.message import html, plain
from autograder.judging import PUBLIC_SEED, run
from autograder.question import Question
from autograder.result import Result

__all__ = ["REGISTRY", "UnknownQuestionError", "check", "checks_of", "grade", "problem_sets"]

_MACHINERY = ("core", "message")
_CATALOGUE = Catalogue(OWN)


def problem_sets() -> list[str]:
    """Names of the problem sets that have checks."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in _MACHINERY)


@cache
def checks_of(problem_set: str) -> tuple[Question, ...]:
    """The questions of a problem set.

    Raises:
        UnknownQuestionError: there is no such problem set; the message lists those that exist.
    """
    if problem_set not in problem_sets():
        raise UnknownQuestionError(
            f"no problem set is called {problem_set!r}; there are: {', '.join(problem_sets())}"
        )
    if problem_set in _CATALOGUE.sets():
        return tuple(_CATALOGUE.questions(problem_set).values())
    return tuple(map(adapted, importlib.import_module(f"{__name__}.{problem_set}").CHECKS))


class _Registry(Mapping[str, Question]):
    """Every question by its id; a problem set's modules are imported when one of its questions is asked for."""

    def __getitem__(self, question: str) -> Question:
        for problem_set in problem_sets():
            if str(question).split(".")[0] == problem_set.split("_")[0]:
                for candidate in checks_of(problem_set):
                    if candidate.id == question:
                        return candidate
        raise UnknownQuestionError(f"no question is called {question!r}; there are: {', '.join(self)}")

    def __iter__(self) -> Iterator[str]:
        return (question.id for problem_set in problem_sets() for question in checks_of(problem_set))

    def __len__(self) -> int:
        return sum(1 for _ in self)


REGISTRY: Mapping[str, Question] = _Registry()


def grade(question: str, namespace: Mapping[str, Any], *, seed: int = PUBLIC_SEED, hint: int = 0) -> Result:
    """Grade the answer found in ``namespace``; see :func:`autograder.judging.run`."""
    return run(REGISTRY[question], namespace, seed=seed, hint=hint)


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
        question: the question's id, such as ``"ps2.sine_surrogate"``.
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
    result = grade(question, namespace, seed=seed, hint=hint)
    _display(result)
    return result.score
