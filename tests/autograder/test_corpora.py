"""Every sample submission of every problem set, graded in isolation: exactly the score and the words it must get."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest

from autograder import corpus
from autograder.checks import checks_of
from autograder.checks.message import plain
from autograder.course import checkout, exercise_of
from autograder.isolation import runner
from autograder.isolation.limits import Limits
from autograder.judging import PUBLIC_SEED, judge, right_values, slip_values
from autograder.perform import Seen

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
    assert list(report.questions) == list(sample.scores)
    assert report.trouble == ()
    assert report.restarts == 0
    wrong = [
        line
        for question, mark in report.questions.items()
        for line in corpus.mismatches(sample, question, mark.score, mark.result.slips, plain(mark.result))
    ]
    assert wrong == []
    assert not any(mark.fault for mark in report.questions.values())


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


@pytest.mark.parametrize(("problem_set", "question"), each(checks_of))
def test_every_slip_is_found(problem_set, question):
    """By a sample, or, where it says what comes back, by answering exactly that."""
    name = question.id.split(".", 1)[1]
    by_sample = {id for sample in ENTRIES[problem_set].values() for id in sample.misconceptions.get(name, [])}
    cases = question.draw(PUBLIC_SEED)
    never = [
        slip.id
        for slip in question.slips
        if slip.id not in by_sample
        and not (
            makes_arrays(slip) and slip.id in judge(question, cases, made_by(question, slip), seed=1).slips
        )
    ]
    assert never == []


def makes_arrays(slip):
    return slip.wrong is not None or slip.gives is not None


def made_by(question, slip):
    """What comes back from an answer that goes wrong in the slip's way wherever that has a value."""
    judged = {group.id for group in question.groups if group.judge is not None}

    def see(at, case):
        right = {} if case.group in judged else right_values(question, case.call)
        try:
            with np.errstate(all="ignore"):
                made = slip_values(question, slip, case.call).items()
        except Exception:
            made = ()
        wrong = {key: value for key, value in made if not right or key in right}
        return Seen({**right, **wrong}) if right or wrong else Seen(trouble="error", text="not reached")

    return see


@pytest.mark.parametrize(("problem_set", "question"), each(checks_of))
def test_no_slip_calls_a_right_answer_wrong(problem_set, question):
    """What a slip gives differs from what is right, in at least one case and by more than the tolerance."""
    cases = question.draw(PUBLIC_SEED)
    compared = {group.id for group in question.groups if group.judge is None}
    for slip in filter(makes_arrays, question.slips):
        result = judge(question, cases, made_by(question, slip), seed=PUBLIC_SEED)
        assert set(result.failed) & compared or not compared.issuperset({case.group for case in cases}), (
            slip.id
        )
