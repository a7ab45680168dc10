"""Run by ``test_right_answers``: answers a set's calls with the right answers of its checks, beside a student's library.

The folder of the student's copy of ``snnkit`` is the argument. On standard input comes, pickled, the set's name, the text
of its setup and, for each question, what would be pasted and ``(call, results)`` for each case; what came back for each
case goes to standard output: of the pasted text, and of the objects themselves.
"""

from __future__ import annotations

import contextlib
import pickle
import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[:0] = [sys.argv[1], str(Path(__file__).resolve().parents[2])]

from autograder.catalogue import OWN, Catalogue
from autograder.perform import Seen, attempt, quiet
from autograder.question import Question


def right_answer(question: Question) -> dict[str, Any]:
    """What is right by the student's names: the right answer, or the function that tells its values."""
    if question.answer or question.values is None:
        return dict(question.answer)
    return dict.fromkeys(question.names, question.values)


def pasted(setup: str, parts: list[str]) -> dict[str, Any]:
    """The namespace behind a cell into which these texts are pasted; what cannot be run defines nothing."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(f"import math\nimport numpy as np\nimport torch\n{setup}", namespace)
    for text in parts:
        with contextlib.suppress(Exception):
            exec(compile(text, "<pasted>", "exec"), namespace)
    return namespace


def main() -> None:
    out = sys.stdout.buffer
    problem_set, setup, jobs = pickle.load(sys.stdin.buffer)
    questions = Catalogue(OWN).questions(problem_set)
    found: dict[str, tuple[list[Seen], list[Seen]]] = {}
    with quiet():
        for name, (parts, calls) in jobs.items():
            question = questions[name]
            answers = pasted(setup, parts), right_answer(question)
            text, objects = (
                [attempt(answer, call, results, tensors=question.tensors) for call, results in calls]
                for answer in answers
            )
            found[name] = text, objects
    pickle.dump(found, out)


if __name__ == "__main__":
    main()
