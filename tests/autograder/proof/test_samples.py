"""Every sample submission of every problem set, graded in isolation: exactly what it must get, and the words."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from autograder.catalogue import OWN, Catalogue
from autograder.course import CourseError, checkout
from autograder.isolation import runner
from autograder.isolation.limits import Limits
from autograder.judging import PUBLIC_SEED, judge, right_values, slip_values
from autograder.perform import Seen
from autograder.proof import samples
from autograder.proof.samples import ANSWER, RELEASE, SOLUTION, Sample, Variant
from autograder.proof.settings import settings, shorten

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of wrong formulas, on edge cases
ROOT = checkout()
CATALOGUE = Catalogue(OWN)
SETS = CATALOGUE.sets()


def questions_in(problem_set):
    return list(CATALOGUE.questions(problem_set).values())


LIMITS = Limits(cell_seconds=240, notebook_seconds=900)


def in_set(problem_set, *values, id=""):
    """A parameter that runs in the process of its problem set."""
    marks = (pytest.mark.xdist_group(f"samples-{problem_set}"),)
    return pytest.param(problem_set, *values, marks=marks, id=id or problem_set)


def each(pick):
    """One parameter for each problem set and each thing that ``pick`` finds in it."""
    return [in_set(name, one, id=f"{name}-{getattr(one, 'id', one)}") for name in SETS for one in pick(name)]


EVERY_SET = [in_set(name) for name in SETS]
ENTRIES = {name: {one.name: one for one in samples.samples(ROOT, name)} for name in SETS}


def name_of(question):
    return question.id.split(".", 1)[1]


@cache
def drawn(id):
    """The cases of a question, drawn once for all tests."""
    return CATALOGUE[id].draw(PUBLIC_SEED)


@cache
def sources(problem_set, name):
    return samples.sources(ROOT, problem_set, ENTRIES[problem_set][name])


@pytest.mark.slow
@pytest.mark.parametrize(("problem_set", "name"), each(ENTRIES.__getitem__))
def test_sample_gets_exactly_what_it_must(problem_set, name, warm_parent):
    sample, brief = ENTRIES[problem_set][name], settings(ROOT, problem_set).brief
    released = samples.released_notebook(ROOT, problem_set)
    graded = runner.grade_notebook(
        shorten(samples.build(ROOT, problem_set, sample, released), brief),
        CATALOGUE.questions(problem_set),
        PUBLIC_SEED,
        LIMITS,
        workers=warm_parent,
        released=shorten(released, brief),
    )
    questions = {name_of(question): question for question in questions_in(problem_set)}
    assert set(graded.questions) == set(questions)
    assert {trouble.status for trouble in graded.trouble} <= {
        "error"
    }  # of a cell that the wrong answer spoils
    assert graded.restarts == 0
    assert not any(mark.fault for mark in graded.questions.values())
    for asked, question in questions.items():
        mark = graded.questions[asked]
        assert sample.mismatches(question, mark.result) == []
        assert mark.score == sample.points(question)


@pytest.mark.parametrize("problem_set", EVERY_SET)
def test_right_samples_get_all_and_the_untouched_one_nothing(problem_set):
    entries = ENTRIES[problem_set]
    for question in questions_in(problem_set):
        for name in (SOLUTION, "second_correct"):
            assert entries[name].points(question) == question.points, name
        assert entries[RELEASE].points(question) == 0
    second, reference = sources(problem_set, "second_correct"), sources(problem_set, SOLUTION)
    for question in map(name_of, questions_in(problem_set)):
        assert second[f"{question}{ANSWER}"] != reference[f"{question}{ANSWER}"], (
            f"{question}: the second correct answer is the first one"
        )


@pytest.mark.parametrize(("problem_set", "question"), each(questions_in))
def test_every_question_has_three_different_wrong_answers(problem_set, question):
    wrong = [sample.name for sample in ENTRIES[problem_set].values() if sample.fails(question)]
    attempts = {
        sources(problem_set, name)[f"{name_of(question)}{ANSWER}"] for name in wrong if name != RELEASE
    }
    assert len(attempts) >= 3


@pytest.mark.slow
@pytest.mark.parametrize(("problem_set", "question"), each(questions_in))
def test_every_slip_is_found(problem_set, question):
    """By a sample, or, where it says what comes back, by answering exactly that."""
    by_sample = {
        slip
        for sample in ENTRIES[problem_set].values()
        for slips in sample.fails(question).values()
        for slip in slips
    }
    cases = drawn(question.id)
    never = [
        slip.id
        for slip in question.slips
        if slip.id not in by_sample
        and not (
            makes_arrays(slip)
            and slip.id in judge(question, cases, made_by(question, slip), seed=PUBLIC_SEED).slips
        )
    ]
    assert never == []


def makes_arrays(slip):
    return slip.wrong is not None or slip.gives is not None


def as_asked(question, case, arrays):
    """In the dtype of the arguments, where that has to be kept."""
    keeps = question.keeps_dtype if case.keeps_dtype is None else case.keeps_dtype
    given = [
        one.dtype
        for one in question.asked(case.call).values()
        if getattr(one, "dtype", np.dtype(int)).kind == "f"
    ]
    return {key: array.astype(given[0]) if keeps and given else array for key, array in arrays.items()}


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
        return (
            Seen(as_asked(question, case, {**right, **wrong}))
            if right or wrong
            else Seen(trouble="error", text="not reached")
        )

    return see


@pytest.mark.parametrize(("problem_set", "question"), each(questions_in))
def test_no_slip_calls_a_right_answer_wrong(problem_set, question):
    """What a slip gives differs from what is right, in at least one case and by more than the tolerance."""
    compared = tuple(group for group in question.groups if group.judge is None)
    if not compared:
        return  # a rule decides in every group
    cases = [case for case in drawn(question.id) if case.group in {group.id for group in compared}]
    without = replace(question, groups=compared)
    for slip in filter(makes_arrays, question.slips):
        result = judge(without, cases, made_by(question, slip), seed=PUBLIC_SEED)
        assert result.failed or len(compared) < len(question.groups), slip.id


# ------------------------------------------------------------------------------------------- what is written

ENTRY = """
[half_read]
about = "a mask for a number"

[half_read.spike_count]
fails = { edges = ["strict_threshold", "(value)"] }
edit = '''
-    return int((charge >= threshold).sum())
+    return int((charge > threshold).sum())
'''
"""


@pytest.fixture
def home(root, tmp_path):
    """A checkout of the practice set's source alone, for samples of its own."""
    place = tmp_path / "solutions" / "ps0_start"
    place.mkdir(parents=True)
    (place / "notebook.py").write_bytes((root / "solutions" / "ps0_start" / "notebook.py").read_bytes())
    return place


def test_an_entry_is_an_edit_and_what_fails(home):
    (home / "samples.toml").write_text(ENTRY)
    (home / "half_read.py").write_text('# %% answer="shares"\ndef shares(counts):\n    return counts\n')
    root = home.parents[1]
    assert [one.name for one in samples.samples(root, "ps0_start")] == [SOLUTION, RELEASE, "half_read"]
    sample = samples.sample(root, "ps0_start", "half_read")
    count, silence = (CATALOGUE["ps0.spike_count"], CATALOGUE["ps0.longest_silence"])
    assert sample.fails(count) == {"edges": ("strict_threshold", "(value)")}
    assert sample.fails(silence) == {}
    edges = next(group for group in count.groups if group.id == "edges")
    assert sample.points(count) == count.points - edges.points
    written = samples.sources(root, "ps0_start", sample)
    assert "(charge > threshold)" in written["spike_count_answer"]
    assert "### BEGIN" not in written["spike_count_answer"]
    assert written["shares_answer"] == "def shares(counts):\n    return counts"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("about = ", "abuot = ", r"samples\.toml, \[half_read\]: 'about'"),
        ("edges = ", "edge = ", "spike_count has no group 'edge'; there are: count, edges"),
        ("fails = ", "fail = ", "unexpected keyword argument 'fail'"),
        ("edit = ", 'cell = "x = 1"\nedit = ', "spike_count has an edit and a cell"),
        ("[half_read.spike_count]", "[half_read.spike_count", r"samples\.toml: "),
        ('about = "a', 'about = "a\n', r"samples\.toml: "),
    ],
)
def test_an_entry_that_cannot_be_is_named(home, old, new, said):
    assert old in ENTRY
    (home / "samples.toml").write_text(ENTRY.replace(old, new))
    with pytest.raises(CourseError, match=said):
        samples.samples(home.parents[1], "ps0_start")


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"spike_cont": Variant(cell="x")}, "there is no answer cell 'spike_cont'"),
        (
            {"spike_count": Variant(edit="-gone\n+new")},
            r"'typo' of ps0_start, spike_count: .*stand there 0 times",
        ),
    ],
)
def test_an_answer_that_does_not_fit_the_reference_is_told(root, answers, said):
    with pytest.raises(CourseError, match=said):
        samples.sources(root, "ps0_start", Sample("typo", "", answers))


def test_unknown_samples_are_told(root, tmp_path):
    with pytest.raises(CourseError, match="no sample 'halfread'; there are: solution, untouched, "):
        samples.sample(root, "ps0_start", "halfread")
    with pytest.raises(CourseError, match="there are no sample submissions of 'ps0_start'"):
        samples.samples(tmp_path, "ps0_start")


def test_what_is_not_as_expected_is_reported_by_group():
    count = CATALOGUE["ps0.spike_count"]
    cases = count.draw(1)
    right = judge(count, cases, lambda at, case: Seen(right_values(count, case.call)), seed=1)
    assert ENTRIES["ps0_start"][SOLUTION].mismatches(count, right) == []
    assert ENTRIES["ps0_start"]["half_read"].mismatches(count, right) == [
        "half_read, spike_count, count: right; expected mask_for_count",
        "half_read, spike_count, edges: right; expected mask_for_count",
    ]
    silent = Sample("silent", "", {"spike_count": Variant(says="a word")})
    assert "the message does not contain 'a word'" in silent.mismatches(count, right)[0]
