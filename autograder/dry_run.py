"""What an author got wrong, found before a student meets it: the right answer and the slips put to a question's own cases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from autograder.asking import probe_text
from autograder.comparing import close
from autograder.judging import right_values, slip_values
from autograder.perform import MissingError, quiet
from autograder.question import Arrays, Case, Question

#: Seeds of the cases that are tried.
SEEDS = (1, 2)
_PLAIN = "numbers, text, True and False, None, NumPy arrays of numbers, and lists, tuples and dictionaries of these"


def faults(question: Question) -> list[str]:
    """One sentence for each thing that is wrong with a question; empty where nothing is."""
    found = [
        f"the slip {slip.id!r} has no sentence; it is what the student reads"
        for slip in question.slips
        if not slip.sentence.strip()
    ]
    try:
        with quiet():
            drawn = [(case, seed) for seed in SEEDS for case in question.draw(seed)]
    except Exception as error:
        return [*found, f"the cases cannot be drawn: {type(error).__name__}: {error}"]
    known: list[tuple[Case, Arrays]] = []
    judged = {group.id for group in question.groups if group.judge is not None}
    for case, seed in drawn:
        odd, probe = next(_odd(case), ""), _not_sent(case)
        if probe:
            found.append(f"{_named(case, seed)}: {probe}")
        elif odd:
            found.append(f"{_named(case, seed)}: {odd} cannot be handed to an answer; what can is {_PLAIN}")
        elif case.group not in judged:
            try:
                with quiet():
                    known.append((case, right_values(question, case.call)))
            except MissingError as error:
                found.append(f"{_named(case, seed)} asks for {error}, which the right answer does not have")
                continue
            except Exception as error:
                found.append(f"{_named(case, seed)}: the right answer fails: {type(error).__name__}: {error}")
                continue
            lost = [key for key, array in known[-1][1].items() if np.isnan(array.astype(float)).any()]
            if lost:
                found.append(
                    f"{_named(case, seed)}: the right {lost[0]} is not a number, which no answer equals"
                )
    if not found:
        found += _useless(question, known)
    return list(dict.fromkeys(found))


def _named(case: Case, seed: int) -> str:
    return f"case {case.label!r} of group {case.group!r} (seed {seed})"


def _not_sent(case: Case) -> str:
    """Why a case's probe, if it has one, cannot be sent to where the answer runs; empty where it can."""
    if not callable(case.call.of):
        return ""
    try:
        probe_text(case.call.of)
    except (ValueError, OSError) as error:
        return (
            f"its probe cannot be sent to the sandbox: {error}; write it with def, on the level of the module"
        )
    return ""


def _odd(case: Case) -> Iterator[str]:
    """Arguments that are no plain data, in words."""

    def walk(value: Any) -> Iterator[str]:
        if isinstance(value, np.ndarray):
            if value.dtype.kind not in "biuf":
                yield f"an array of dtype {value.dtype}"
        elif isinstance(value, Mapping):
            for one in value.values():
                yield from walk(one)
        elif type(value) in (list, tuple):
            for one in value:
                yield from walk(one)
        elif not (value is None or isinstance(value, (bool, int, float, str, np.generic))):
            yield f"a {type(value).__module__}.{type(value).__name__}"

    call = case.call
    yield from walk([*call.args, *call.kwargs.values(), *call.then, call.upstream])


def _useless(question: Question, known: list[tuple[Case, Arrays]]) -> Iterator[str]:
    """Slips that no case tells from the right answer, or that have a value in none."""
    for slip in question.slips:
        if slip.wrong is None and slip.gives is None:
            continue
        values, error = 0, ""
        for case, right in known:
            try:
                with quiet():
                    wrong = slip_values(question, slip, case.call)
            except Exception as failure:
                error = f"{type(failure).__name__}: {failure}"
                continue
            values += 1
            if any(key in wrong and not close(wrong[key], right[key], question.within) for key in right):
                break
        else:
            if known:
                said = "gives what is right in every case" if values else f"fails in every case: {error}"
                yield f"the slip {slip.id!r} {said}"
