"""In the notebook: a question that lost points, asked again with references in the place of helpers that are not right.

First in place, which takes as long as the check; then, where cells computed something with a helper, with those cells run
once more, in names of their own.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FunctionType

from autograder.follow_on import Carried, better, loses, names_of, own_names, taken_remark
from autograder.isolation.timing import Budget, TimeLimit, call
from autograder.perform import quiet
from autograder.question import Answer, Question
from autograder.reference import Names, helpers, load, standing_in, taken_of
from autograder.result import Result
from autograder.time_of_check import LIMITS

Find = Callable[[str], Question]
Ask = Callable[[Question, Answer], Result]

_TRYING: list[str] = []


def cells_run() -> list[str]:
    """The sources of the cells that were run in this kernel; none outside of one."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return [str(source) for source in shell.user_ns.get("In", ())] if shell is not None else []


def cells_typed() -> list[str]:
    """The cells that were run in this kernel as they stand in the notebook, magics as well; none outside of one."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return list(map(str, shell.history_manager.input_hist_raw)) if shell is not None else []


def second_try(
    question: Question,
    answer: Answer,
    first: Result,
    *,
    find: Find,
    files: Mapping[str, Path],
    ask: Ask,
    cells: Sequence[str],
) -> Result:
    """What a question gets in the notebook: the better of the first outcome and the one with references.

    Args:
        question: what was asked.
        answer: the notebook's names.
        first: what it got.
        find: a question by its id.
        files: the references of the set, by question.
        ask: puts a question to an answer, in silence.
        cells: sources of the cells that were run, in order.
    """
    first = _with_remarks(first, *map(taken_remark, taken_of(question.id)))
    if not loses(first) or question.id in _TRYING:
        return first
    own, known = dict(answer), helpers(files)
    carried = Carried(known, {id: find(id).uses for id in {question.id, *files}})
    for source in cells:
        carried.ran(source)
    rests = carried.rests(question) - own_names(question)
    lost = {id for id in sorted({known[name] for name in rests}) if loses(ask(find(id), own))}
    references = {name: load(files[known[name]])[name] for name in sorted(rests) if known[name] in lost}
    if not references:
        return first
    found = first
    _TRYING.append(question.id)
    try:
        with standing_in(references, _spaces(question, own)):
            found = better(first, ask(question, own), references)
        again = _needed(question, cells, references) if loses(found) else []
        if again:
            later = ask(question, _run_again(again, own, references))
            found = max(found, better(first, later, references), key=lambda one: one.score)
    except (
        Exception
    ):  # a class that lets nothing stand in, a cell that is no plain Python: what was seen stands
        return found
    finally:
        _TRYING.remove(question.id)
    return found


def _with_remarks(result: Result, *more: str) -> Result:
    return replace(result, remarks=(*result.remarks, *more)) if more else result


def _spaces(question: Question, answer: Names) -> list[Names]:
    """Where the answer's functions look up their names: the notebook itself, of which ``answer`` may be a copy."""
    found = {id(answer): answer}
    for name in question.names:
        value = answer.get(name)
        parts = [value, *(vars(value).values() if isinstance(value, type) else ())]
        for part in (getattr(one, "__func__", one) for one in parts):
            if isinstance(part, FunctionType):
                found[id(part.__globals__)] = part.__globals__
    return list(found.values())


def _needed(question: Question, cells: Sequence[str], wrong: Iterable[str]) -> list[str]:
    """The cells that made what a question asks for, as far as wrong helpers took part, in the order of their last run."""
    last = list(reversed(dict.fromkeys(reversed(cells))))
    touched = set(wrong)
    for source in last:
        bound, read = names_of(source)
        touched |= bound if read & touched else set()
    needed, found = set(question.names), list[str]()
    for source in reversed(last):
        bound, read = names_of(source)
        if bound & needed and read & touched and not bound & set(wrong):
            found.append(source)
            needed |= read
    return found[::-1]


def _run_again(sources: Sequence[str], answer: Names, references: Names) -> Names:
    """The names there are when cells are run with the references, in silence and no longer than a check may take."""
    names = {**answer, **references}
    budget = Budget(LIMITS.check_seconds, LIMITS.wall_factor * LIMITS.check_seconds)
    with quiet(), _nothing_shown():
        for source in sources:
            with contextlib.suppress(Exception, TimeLimit):
                call(partial(exec, compile(source, "<cell>", "exec", dont_inherit=True), names), budget)
            if budget.over:
                break
    return names


def _nothing_shown() -> AbstractContextManager[object]:
    """Figures and what is displayed stay away from the notebook."""
    if not cells_run():
        return contextlib.nullcontext()
    from IPython.utils.capture import capture_output

    shown: AbstractContextManager[object] = capture_output()
    return shown
