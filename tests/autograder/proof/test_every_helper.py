"""Nothing is charged twice, for every helper: an answer that raises costs its own points and nothing else."""

from __future__ import annotations

import pytest

from autograder.catalogue import OWN, Catalogue
from autograder.course import checkout
from autograder.follow_on import names_of
from autograder.isolation import runner
from autograder.isolation.limits import Limits
from autograder.judging import PUBLIC_SEED, run
from autograder.notebook import Cell, Notebook, read
from autograder.proof import paths, samples
from autograder.proof.play import cells_before, play
from autograder.proof.samples import SOLUTION, Sample, Variant
from autograder.proof.settings import settings, shorten
from autograder.reference import load
from autograder.second_try import second_try
from autograder.source import ANSWER

ROOT = checkout()
CATALOGUE = Catalogue(OWN)
LIMITS = Limits(cell_seconds=240, notebook_seconds=900)
HELPERS = {
    problem_set: [
        name for name, question in CATALOGUE.questions(problem_set).items() if question.reference is not None
    ]
    for problem_set in CATALOGUE.sets()
}
EVERY = [  # the first of each set in every run, all in the soak
    pytest.param(
        problem_set,
        name,
        marks=[pytest.mark.xdist_group(f"samples-{problem_set}"), *([pytest.mark.soak] if number else [])],
        id=f"{problem_set}-{name}",
    )
    for problem_set, names in HELPERS.items()
    for number, name in enumerate(names)
]
RAISES = """

def {name}(*args, **kwargs):
    raise RuntimeError("this helper is wrong")
"""


def only_wrong(problem_set, name):
    """The notebook that is right but for one question's helpers, each of which raises."""
    helpers = load(CATALOGUE.questions(problem_set)[name].reference)
    variants = {}
    for cell, source in samples.sources(ROOT, problem_set, Sample(SOLUTION, "")).items():
        bound, _ = names_of(source)
        stubs = [RAISES.format(name=helper) for helper in helpers if helper in bound]
        if stubs and cell.endswith(ANSWER):
            variants[cell.removesuffix(ANSWER)] = Variant(cell=source + "".join(stubs))
    assert variants
    released = samples.released_notebook(ROOT, problem_set)
    brief = settings(ROOT, problem_set).brief
    handed_in = samples.build(ROOT, problem_set, Sample(f"without_{name}", "", variants), released)
    return shorten(handed_in, brief), shorten(released, brief)


def lost(results):
    return {result.question for result in results if result.score < result.points}


@pytest.mark.slow
@pytest.mark.parametrize(("problem_set", "name"), EVERY)
def test_a_helper_that_raises_costs_its_own_points_in_grading(problem_set, name, warm_parent):
    handed_in, released = only_wrong(problem_set, name)
    questions = CATALOGUE.questions(problem_set)
    graded = runner.grade_notebook(
        handed_in, questions, PUBLIC_SEED, LIMITS, workers=warm_parent, released=released
    )
    results = [mark.result for mark in graded.questions.values()]
    assert lost(results) == {questions[name].id}
    assert len(results) == len(questions)
    for result in results:
        if result.remarks and result.question != questions[name].id:
            assert result.remarks[-1].startswith("right; but your `")


@pytest.mark.slow
@pytest.mark.parametrize(("problem_set", "name"), EVERY)
def test_a_helper_that_raises_costs_its_own_points_in_the_notebook(problem_set, name):
    handed_in, _ = only_wrong(problem_set, name)
    questions = CATALOGUE.questions(problem_set)

    before = cells_before(handed_in)

    def ask(question, names):
        return second_try(
            question, names, run(question, names), find=CATALOGUE.__getitem__,
            files=CATALOGUE.references(question.id), ask=run, cells=before[question.id.split(".", 1)[1]],
        )  # fmt: skip

    assert lost(play(handed_in, questions, ask).values()) == {questions[name].id}


def in_cells(*sources):
    """A notebook of these cells; one that calls ``check`` is a question's."""
    return Notebook(tuple(Cell(one, graded=one.startswith("check("), grade_id=one[:20]) for one in sources))


BY_THE_LIBRARY = """import torch
from snnkit.conversion import neuron


def clip_floor(z, threshold, steps, initial=0.0):
    return neuron.clip_floor(z, torch.as_tensor(threshold), steps, initial)
"""


@pytest.mark.slow
def test_a_helper_by_the_library_costs_its_own_points_in_grading(warm_parent):
    released = samples.released_notebook(ROOT, "ps4_conversion")
    answers = {"clip_floor": Variant(cell=BY_THE_LIBRARY)}
    graded = runner.grade_notebook(
        samples.build(ROOT, "ps4_conversion", Sample("library", "", answers), released),
        CATALOGUE.questions("ps4_conversion"), PUBLIC_SEED, LIMITS, workers=warm_parent, released=released,
    )  # fmt: skip
    assert lost([mark.result for mark in graded.questions.values()]) == {"ps4.clip_floor"}
    assert graded.questions["clip_floor"].score == 0


@pytest.mark.slow
def test_a_helper_by_the_library_costs_its_own_points_in_a_real_kernel():
    setup = "import torch\nfrom autograder import check\nfrom torch import nn"
    answer = samples.reference(ROOT, "ps4_conversion")[f"adaptive_threshold{ANSWER}"]
    own, later = paths.in_kernel(
        in_cells(setup, BY_THE_LIBRARY, answer, 'check("ps4.clip_floor")', 'check("ps4.adaptive_threshold")')
    )
    assert own.score == 0
    assert later.remarks[-1:] == ("right; but your `clip_floor` is not: mend that first",)


@pytest.mark.slow
def test_a_reference_that_was_taken_in_a_real_kernel():
    """It is no answer to its own question, also inside of a function, and does for a later one."""
    setup = "import torch\nfrom autograder import check, use_reference\nfrom torch import nn"
    given = 'course = use_reference("clip_floor")\ndef clip_floor(*arguments):\n    return course(*arguments)'
    answer = samples.reference(ROOT, "ps4_conversion")[f"adaptive_threshold{ANSWER}"]
    own, later = paths.in_kernel(
        in_cells(setup, given, answer, 'check("ps4.clip_floor")', 'check("ps4.adaptive_threshold")')
    )
    assert own.score == 0
    assert "used the reference for `clip_floor`" in own.remarks
    assert all(
        "the course's own `clip_floor`, from use_reference" in one.sentence for one in own.failed.values()
    )
    assert later.score == later.points
    assert not [remark for remark in later.remarks if "clip_floor" in remark]


@pytest.mark.slow
def test_whoever_runs_all_files_of_references_has_what_was_asked_for_and_a_remark(warm_parent):
    every = (
        'use_reference("clip_floor")\nimport pathlib, autograder\n'
        "for file in pathlib.Path(autograder.__file__).parent.glob('references/*'):\n    exec(file.read_text())"
    )
    questions = CATALOGUE.questions("ps4_conversion")
    released = samples.released_notebook(ROOT, "ps4_conversion")
    own = samples.sources(ROOT, "ps4_conversion", Sample(SOLUTION, ""))
    answers = {name: Variant(cell=every) for name in questions if f"{name}{ANSWER}" in own}
    graded = runner.grade_notebook(
        samples.build(ROOT, "ps4_conversion", Sample("files", "", answers), released),
        questions, PUBLIC_SEED, LIMITS, workers=warm_parent, released=released,
    )  # fmt: skip
    assert {name for name, mark in graded.questions.items() if mark.score} == {"clip_floor"}
    assert graded.remarks == ("used the reference for `clip_floor`",)
    result = graded.questions["clip_floor"].result
    assert "used the reference for `clip_floor`" in result.remarks


@pytest.mark.slow
def test_a_reference_by_another_name_is_refused_in_a_real_kernel_as_in_grading():
    setup = "import torch\nfrom autograder import check, use_reference"
    tried = """take, said = use_reference, []
for name in ("clip_floor", "ps4.clip_floor.clip_floor"):
    try:
        clip_floor = take(name)
    except ValueError as error:
        said.append(str(error))
assert len(said) == 2 and all("with its name as plain text" in one for one in said), said"""
    (own,) = paths.in_kernel(in_cells(setup, tried, 'check("ps4.clip_floor")'))
    assert own.score == 0
    assert not [remark for remark in own.remarks if "used the reference" in remark]
    assert {one.kind for one in own.failed.values()} == {"missing"}


@pytest.mark.slow
def test_in_a_real_kernel():
    handed_in, _ = only_wrong("ps6_timing", "response")
    results = {result.question: result for result in paths.in_kernel(read(handed_in))}
    assert lost(results.values()) == {"ps6.response"}
    assert results["ps6.spikeprop"].remarks == (
        "right; but your `kernel` and `kernel_slope` are not: mend them first",
    )
