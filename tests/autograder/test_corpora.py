"""Every sample submission of every problem set, graded in isolation: exactly the score and the words it must get."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest

from autograder import corpus
from autograder.checks import checks_of
from autograder.checks.core import PUBLIC_SEED, Flaw, judge, same
from autograder.course import checkout, exercise_of
from autograder.isolation import runner
from autograder.isolation.limits import Limits

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of wrong formulas, on edge cases
ROOT = checkout()
SETS = sorted(path.parent.name for path in corpus.CORPUS.glob("*/expected.json"))
LIMITS = Limits(cell_seconds=240, notebook_seconds=900)


def in_set(problem_set, *values, id=""):
    """A parameter that runs in the process of its problem set."""
    marks = (pytest.mark.xdist_group(f"corpus-{problem_set}"),)
    return pytest.param(problem_set, *values, marks=marks, id=id or problem_set)


def each(pick):
    """One parameter for each problem set and each thing that ``pick`` finds in it."""
    return [in_set(name, one, id=f"{name}-{getattr(one, 'id', one)}") for name in SETS for one in pick(name)]


EVERY_SET = [in_set(name) for name in SETS]
ENTRIES = {name: {sample.name: sample for sample in corpus.samples(name)} for name in SETS}


@cache
def released(problem_set):
    return exercise_of(ROOT, problem_set).read_bytes()


@cache
def answers(problem_set):
    """Source of the answer cells of each question, of each sample: {sample: {question: text}}."""
    found = {}
    for sample in corpus.samples(problem_set):
        questions, standing = {}, []
        for cell in json.loads(corpus.build(ROOT, problem_set, sample, released(problem_set)))["cells"]:
            marked = cell["metadata"].get("nbgrader", {})
            if marked.get("solution") and not marked.get("grade"):
                standing.append("".join(cell["source"]))
            elif marked.get("grade") and not marked.get("solution"):
                questions[marked["grade_id"]], standing = "\n".join(standing), []
        found[sample.name] = questions
    return found


def test_every_problem_set_with_checks_has_samples():
    from autograder.checks import problem_sets

    assert problem_sets() == SETS


@pytest.mark.slow
@pytest.mark.parametrize(("problem_set", "name"), each(ENTRIES.__getitem__))
def test_sample_gets_exactly_what_it_must(problem_set, name, warm_parent):
    sample = ENTRIES[problem_set][name]
    handed_in = corpus.build(ROOT, problem_set, sample, released(problem_set))
    report = runner.grade_notebook(
        corpus.shorten(handed_in, problem_set),
        problem_set,
        PUBLIC_SEED,
        LIMITS,
        workers=warm_parent,
        released=corpus.shorten(released(problem_set), problem_set),
    )
    questions = report["questions"]
    assert list(questions) == list(sample.scores)
    assert report["trouble"] == []
    assert report["restarts"] == 0
    wrong = [
        line
        for question, entry in questions.items()
        for line in corpus.mismatches(
            sample, question, entry["score"], entry["misconceptions"], entry["message"]
        )
    ]
    assert wrong == []
    assert not any(entry["problem"] for entry in questions.values())


@pytest.mark.parametrize("problem_set", EVERY_SET)
def test_right_and_untouched_samples_are_expected_to_get_all_and_nothing(problem_set):
    points = {check.id.split(".", 1)[1]: check.points for check in checks_of(problem_set)}
    entries = ENTRIES[problem_set]
    for name in (corpus.SOLUTION, "second_correct"):
        assert entries[name].scores == points, name
        assert not entries[name].misconceptions, name
    assert entries[corpus.RELEASE].scores == dict.fromkeys(points, 0.0)
    reference = answers(problem_set)[corpus.SOLUTION]
    for question, source in answers(problem_set)["second_correct"].items():
        assert source != reference[question], f"{question}: the second correct answer is the first one"


@pytest.mark.parametrize(("problem_set", "check"), each(checks_of))
def test_every_question_has_three_different_wrong_answers(problem_set, check):
    question = check.id.split(".", 1)[1]
    wrong = {
        answers(problem_set)[name][question]
        for name, sample in ENTRIES[problem_set].items()
        if sample.scores[question] < check.points
    }
    attempts = {source for source in wrong if source != answers(problem_set)[corpus.RELEASE][question]}
    assert len(attempts) >= 3


@pytest.mark.parametrize(("problem_set", "check"), each(checks_of))
def test_every_misconception_is_found(problem_set, check):
    """By a sample, or, where it says what the mistake produces, by handing exactly that to the check."""
    question = check.id.split(".", 1)[1]
    by_sample = {
        id for sample in ENTRIES[problem_set].values() for id in sample.misconceptions.get(question, [])
    }
    cases = check.draw(PUBLIC_SEED)
    never = []
    for found in check.misconceptions:
        if found.id in by_sample:
            continue
        if found.arrays is None or found.id not in judged(check, cases, found).slips:
            never.append(found.id)
    assert never == []


def judged(check, cases, mistake):
    return judge(check, cases, made_by(check, mistake), seed=PUBLIC_SEED)


def made_by(check, mistake):
    """What comes back from an answer that makes a mistake wherever the mistake says what it produces."""

    def see(group, case):
        right = {} if group.judge is not None else check.expected(case.data)
        try:
            made = mistake.arrays(case.data).items()
            wrong = {key: np.asarray(value) for key, value in made if not right or key in right}
        except (KeyError, IndexError, ValueError):
            wrong = {}
        if not right and not wrong:
            return Flaw("error", "not reached")
        return {**right, **wrong}

    return see


@pytest.mark.parametrize(("problem_set", "check"), each(checks_of))
def test_no_misconception_calls_a_right_answer_wrong(problem_set, check):
    """What a mistake produces differs from what is right, in at least one case and by more than the tolerance."""
    for found in check.misconceptions:
        if found.arrays is None:
            continue
        see, differs = made_by(check, found), False
        for case in check.draw(PUBLIC_SEED):
            group = next(group for group in check.groups if group.id == case.group)
            seen = see(group, case)
            if isinstance(seen, Flaw) or group.judge is not None:
                continue
            right = check.expected(case.data)
            differs |= any(key in seen and not same(seen[key], right[key], check.tolerance) for key in right)
        assert differs or any(group.judge for group in check.groups), found.id
