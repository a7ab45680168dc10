"""A student's page: points, the checks' sentences, hints, a person's comments; no test and no reference in it.

It is filled in from the fields of the submission's outcome (template ``feedback.html.j2``); the first hint is on it, which
every student can ask for.
"""

from __future__ import annotations

from pathlib import Path

from autograder.graded import Graded
from autograder.message import printed, said
from autograder.rendering import render, words
from autograder.result import mend_first


def _titles(graded: Graded) -> dict[str, str]:
    """The title of each question, or its name in words where a person reads it."""
    return {
        name: mark.result.title if mark.result is not None else words(name).capitalize()
        for name, mark in graded.questions.items()
    }


def _mend(graded: Graded) -> dict[str, str]:
    """For a question that lost points and uses an earlier one that did: the earlier one's grade_id."""
    results = {mark.result.question: mark.result for mark in graded.questions.values() if mark.result}
    names = {mark.result.question: name for name, mark in graded.questions.items() if mark.result}
    return {names[later]: names[earlier] for later, earlier in mend_first(results).items()}


def feedback(problem_set: str, graded: Graded, templates: Path | None = None) -> bytes:
    """A student's page. No request leaves it, and nothing of it runs.

    Args:
        problem_set: its name.
        graded: what the student got, with what people gave.
        templates: folder of the course's own templates.

    Returns:
        The HTML file.
    """
    more = {name: text for name, text in graded.comments.items() if name not in graded.questions}
    return render(
        "feedback.html.j2",
        templates,
        title=f"{problem_set}: feedback for {graded.student}",
        graded=graded,
        titles=_titles(graded),
        mend=_mend(graded),
        more=more,
        said=said,
        printed=printed,
    ).encode()
