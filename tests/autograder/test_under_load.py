"""A grade does not depend on what else the machine does: beside eight busy processes scores and sentences are the same."""

from __future__ import annotations

import pytest

from autograder.catalogue import OWN, Catalogue
from autograder.course import checkout
from autograder.graded import Graded, without_measures
from autograder.isolation import runner
from autograder.isolation.source import WarmParent
from autograder.judging import PUBLIC_SEED
from autograder.proof import samples
from autograder.proof.busy import busy

ROOT = checkout()
#: Sets whose samples take little time; ``make soak`` does the others.
QUICK = [("ps0_start", 99), ("ps1_neurons", 3)]


def graded(problem_set: str, count: int, workers: WarmParent) -> dict[str, Graded]:
    """The first samples of a set, without what was measured."""
    released = samples.released_notebook(ROOT, problem_set)
    questions = Catalogue(OWN).questions(problem_set)
    return {
        one.name: without_measures(
            runner.grade_notebook(
                samples.build(ROOT, problem_set, one, released),
                questions,
                PUBLIC_SEED,
                workers=workers,
                released=released,
            )
        )
        for one in samples.samples(ROOT, problem_set)[:count]
    }


@pytest.mark.slow
@pytest.mark.parametrize(("problem_set", "count"), QUICK)
def test_samples_get_the_same_beside_busy_processes(
    problem_set: str, count: int, warm_parent: WarmParent
) -> None:
    quiet = graded(problem_set, count, warm_parent)
    with busy(8):
        beside = graded(problem_set, count, warm_parent)
    assert beside == quiet
    assert not any(one.stops for one in quiet.values())
