"""What a notebook calls: ``check`` puts a question to the answer in it, ``failing`` takes the failing case in hand,
``use_reference`` gives a helper of the course to go on with.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch  # noqa: F401 - before the state is taken: what comes later may have been changed by then

from autograder.catalogue import OWN, Catalogue, UnknownQuestionError
from autograder.failing_case import FailingCase, failing_case
from autograder.given_in_notebook import given_remarks
from autograder.in_place import refusing
from autograder.judging import PUBLIC_SEED, run
from autograder.message import html, plain
from autograder.noticed import of_state, of_withheld
from autograder.perform import line_of
from autograder.question import Question
from autograder.reference import place_of, plain_text_only, taken
from autograder.result import Result, with_fault
from autograder.second_try import cells_run, cells_typed, second_try
from autograder.state import Baseline
from autograder.word_for_word import references_asked

__all__ = ["UnknownQuestionError", "check", "failing", "find", "use_reference"]

_COURSE = Baseline()
_LAST: dict[str, tuple[Result, Question, Mapping[str, Any]]] = {}


class NotAskedError(ValueError):
    """A check was asked for in a way that there is not; in a notebook its words alone are shown."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class StoppedError(KeyboardInterrupt):
    """The student stopped a check; in a notebook its words alone are shown."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class _Shown(float):
    """A score that a live notebook does not show a second time, below the message."""

    def _ipython_display_(self) -> None:
        pass


# ------------------------------------------------------------------------------------------------ what there is


@cache
def _catalogues(here: Path) -> tuple[Catalogue, ...]:
    """The questions of the course that a folder is in, if it is in one, and those of this package."""
    around = (folder / "checks" for folder in (here, *here.parents))
    return (
        *(Catalogue(place) for place in around if place.is_dir() and any(place.glob("*/*.py"))),
        Catalogue(OWN),
    )


def _here() -> tuple[Path, ...]:
    """The working folder, if it is still there."""
    with contextlib.suppress(OSError):
        return (Path.cwd(),)
    return ()


def _known(places: tuple[Path, ...]) -> tuple[Catalogue, ...]:
    """The courses that these folders and the one that the notebook began in are in."""
    every = (one for place in dict.fromkeys([*places, *_here()]) for one in _catalogues(place))
    return tuple(dict.fromkeys(every)) or (Catalogue(OWN),)


def _found(question: str, places: tuple[Path, ...]) -> tuple[Catalogue, Question]:
    """A question and the catalogue that it is in; see :func:`find`."""
    known = _known(places)
    for catalogue in known:
        with contextlib.suppress(UnknownQuestionError):
            return catalogue, catalogue[question]
    return known[0], known[0][question]  # which says what there is, in the course that the notebook is in


def find(question: str, places: tuple[Path, ...] = ()) -> Question:
    """A question by its id, of the course that the working folder is in or of this package.

    Args:
        question: its id.
        places: further folders whose courses come first.

    Raises:
        UnknownQuestionError: no question has this id; the message lists those that exist.
    """
    return _found(question, places)[1]


def _references(question: str = "", places: tuple[Path, ...] = ()) -> dict[str, Path]:
    """Files of references by question: of all sets, or of the one that a question is in."""
    found = reversed(_known(places))
    return {id: file for one in found for id, file in one.references(question).items()}


def use_reference(name: str) -> Any:
    """A function or class of an earlier question, the course's own, to go on with where yours is not right yet.

    It costs nothing in later questions, is noted, and gets no points as the answer to its own question:
    ``kernel = use_reference("kernel")``.

    Args:
        name: its name; with the question before it, ``"<set>.<question>.<name>"``, where several sets have one.

    Raises:
        ValueError: there is none, or there are several, as the message lists; or no cell names it as plain text, so that
            grading would not have it.
    """
    files, cells = _references(places=_here()), cells_typed()
    place_of(name, files)
    if cells and not any(name in references_asked(source) for source in cells):
        raise plain_text_only(name)
    return taken(name, files)


def _given(question: str, catalogue: Catalogue) -> tuple[str, ...]:
    """What there is to say about the given cells before a question; what goes wrong here is nothing to a student."""
    with contextlib.suppress(Exception):
        return given_remarks(question, catalogue.folders())
    return ()


# ------------------------------------------------------------------------------------------------------ the check


def _shell() -> Any:
    """IPython's shell; None outside of one."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def _publish(text: str, page: str, metadata: Mapping[str, Any]) -> None:
    """Show a message below the cell, or print it where there is no notebook."""
    if _shell() is None:
        print(text)
        return
    from IPython.display import display

    data = {"text/plain": text, **({"text/html": page} if page else {})}
    display(data, raw=True, metadata=dict(metadata))  # type: ignore[no-untyped-call]


def _display(result: Result) -> None:
    _publish(plain(result), html(result), {"autograder": asdict(result)})


def _own_fault(error: Exception, question: object) -> None:
    """Say that the checker went wrong; nbgrader's own way of grading finds the fault with it."""
    what = " ".join(f"{type(error).__name__}: {error}".split())
    text = (
        f"Our mistake, not yours: the check of {question} did not finish ({what}). "
        "Please report it, with this line; your answer was not judged."
    )
    _publish(text, "", {"autograder_fault": text})


def _live() -> bool:
    """Whether a person sits before the notebook: what runs one for its grades takes no input."""
    with contextlib.suppress(Exception):
        asked = _shell().kernel.get_parent("shell")["content"]["allow_stdin"]
        return asked is True and not {"NBGRADER_EXECUTION", "NBGRADER_VALIDATING"} & os.environ.keys()
    return False


@contextlib.contextmanager
def _as_graded(withheld: frozenset[str], used: list[str]) -> Iterator[None]:
    """What a call of an answer is made in: the course's values, the library without what is withheld."""
    with _COURSE.values(), refusing(withheld, used):
        yield


def _checked(
    question: str, namespace: Mapping[str, Any], seed: int, hint: int, places: tuple[Path, ...]
) -> Result:
    """Put a question to a notebook's names."""
    catalogue, asked = _found(question, places)
    used: list[str] = []
    around = partial(_as_graded, catalogue.withheld(asked.id), used)

    def ask(one: Question, names: Mapping[str, Any]) -> Result:
        """In silence; of an earlier question only the points are asked for, and not what would mend it."""
        silent = partial(_as_graded, catalogue.withheld(one.id), [])
        return run(one, names, seed=seed, cells=None if one.id == asked.id else (), around=silent)

    first = run(asked, namespace, seed=seed, hint=hint, around=around)
    try:
        result = second_try(
            asked,
            namespace,
            first,
            find=partial(find, places=places),
            files=_references(asked.id, places),
            ask=ask,
            cells=cells_run(),
        )
    except Exception as error:
        result = with_fault(first, error)
    _LAST[asked.id] = result, asked, namespace
    remark = of_withheld(result, used if result.score == first.score else ())
    more = (*([remark] if remark else []), *_given(asked.id, catalogue))
    return replace(result, remarks=(*result.remarks, *more))


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
        The score. As the last expression of a graded cell, nbgrader reads it as the points.

    Raises:
        UnknownQuestionError: no question has this id.
        NotAskedError: ``hint`` is not 0, 1, 2 or 3, or ``seed`` is no seed.
        StoppedError: the student interrupted it.
    """
    if not isinstance(hint, int) or hint not in (0, 1, 2, 3):
        raise NotAskedError(f"hint must be 0, 1, 2 or 3; got {hint!r}")
    if not isinstance(seed, int) or seed < 0:
        raise NotAskedError(f"seed must be a whole number from 0; got {seed!r}")
    if not isinstance(namespace, Mapping | None):
        raise NotAskedError(
            f"namespace must hold objects by name, such as globals(); got {type(namespace).__name__}"
        )
    if namespace is None:
        caller = sys._getframe(1)
        namespace = {**caller.f_globals, **caller.f_locals}
    score, places = 0.0, _here()
    try:
        with _COURSE.shipped() as differed:
            result = _checked(question, namespace, seed, hint, places)
            remark = of_state(differed)
            _display(replace(result, remarks=(*result.remarks, remark)) if remark else result)
            score = result.score
    except UnknownQuestionError as error:
        raise error.with_traceback(None) from None
    except KeyboardInterrupt as error:
        raise StoppedError(f"You stopped the check of {question}{line_of(error)}.") from None
    except Exception as error:
        with contextlib.suppress(Exception):
            _own_fault(error, question)
    return _Shown(score) if _live() else score


def failing(question: str, group: str = "") -> FailingCase | None:
    """The first case that failed when a question was last checked: its arguments, what came back, what is right.

    Args:
        question: the question's id.
        group: one of its groups; by default the first that failed.

    Returns:
        The case, whose ``call()`` asks the answer again and whose ``plot()`` draws it; None when all was right.

    Raises:
        NotAskedError: the question has not been checked yet.
    """
    if question not in _LAST:
        raise NotAskedError(f'run check("{question}") first')
    result, asked, namespace = _LAST[question]
    places = _here()
    with _COURSE.shipped():
        catalogue, _ = _found(question, places)
        around = partial(_as_graded, catalogue.withheld(asked.id), [])
        return failing_case(result, asked, namespace, group, around)
