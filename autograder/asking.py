"""A question put to code that runs elsewhere: calls go as data, arrays come back, and nothing else."""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from autograder.isolation.sandbox import IsolationError
from autograder.isolation.session import Reply, Session
from autograder.judging import judge
from autograder.pace import paced
from autograder.perform import Seen
from autograder.question import Call, Question
from autograder.result import Failure, GroupResult, Result, timed, with_fault


@cache
def probe_text(probe: Callable[..., Any]) -> str:
    """What a probe needs in order to run elsewhere: its module where that stands alone, otherwise the function.

    Raises:
        ValueError: it is neither a function of a module ``..._probe`` nor one that its own lines define.
    """
    module = sys.modules[probe.__module__]
    if module.__name__.endswith("_probe"):
        return inspect.getsource(module)
    text = textwrap.dedent(inspect.getsource(probe))
    if not text.startswith("def "):
        raise ValueError(f"{probe.__module__}.{probe.__qualname__} is not a function that stands alone")
    return f"from __future__ import annotations\n{text}"


def as_data(question: Question, call: Call, modules: list[str]) -> dict[str, Any]:
    """A call as plain data; the text of its probe, if it is one, is added to ``modules`` once."""
    place, name = -1, call.of
    if callable(call.of):
        text, name = probe_text(call.of), call.of.__name__
        if text not in modules:
            modules.append(text)
        place = modules.index(text)
    return {
        "of": name,
        "module": place,
        "args": call.args,
        "kwargs": dict(call.kwargs),
        "then": call.then,
        "by": call.by,
        "upstream": call.upstream,
        "result": call.result,
        "results": question.results(call),
        "tensors": question.tensors,
    }


def seen_of(reply: Reply) -> Seen:
    """What came of a call, from the reply to it."""
    return Seen(reply.arrays, reply.changed, reply.kind, reply.text, reply.name)


def _seen_alone(session: Session, question: Question, call: Call) -> Seen:
    modules: list[str] = []
    sent = as_data(question, call, modules)
    return seen_of(session.probe(question.reached, [sent], modules).replies[0])


def ask(session: Session, question: Question, seed: int) -> tuple[Result, str]:
    """Put one question to a session's student code.

    Returns:
        The result, and an empty string or what went wrong on this side (the result is then 0 points).
    """
    modules: list[str] = []
    try:
        cases = question.draw(seed)
        answers = session.probe(
            question.reached,
            [as_data(question, case.call, modules) for case in cases],
            modules,
            question.id,
        )
        seen = [seen_of(reply) for reply in answers.replies]
        with np.errstate(all="ignore"):  # a student's numbers may be anything
            result = judge(
                question,
                cases,
                lambda at, case: seen[at],
                seed=seed,
                printed=answers.printed,
                cells=session.ran,
            )
        result = timed(result, answers.seconds, session.limits.cell_seconds)
    except IsolationError:
        raise
    except Exception as error:  # of the question
        return _not_judged(question, seed), f"{type(error).__name__}: {error}"
    try:
        result = paced(question, result, lambda call: _seen_alone(session, question, call))
    except IsolationError:
        raise
    except Exception as error:
        result = with_fault(result, error)
    return result, result.fault


def _not_judged(question: Question, seed: int) -> Result:
    said = "our mistake, not yours: this could not be compared with what is right; your teacher is told"
    failure = Failure("fault", said, 0, "")
    groups = tuple(
        GroupResult(group.id, group.title, group.points, 0.0, 0, failure) for group in question.groups
    )
    return Result(question.id, question.title, question.points, 0.0, seed, groups)
