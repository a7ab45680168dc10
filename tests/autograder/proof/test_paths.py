"""The notebook and the grading decide alike, and say the same (all samples: ``make soak``)."""

from __future__ import annotations

import pytest

from autograder.course import catalogue_of, checkout
from autograder.proof.paths import Differences, compare
from autograder.proof.samples import samples

NAMES = catalogue_of(checkout()).sets()


def test_a_difference_is_in_points_or_in_words() -> None:
    found = Differences()
    here = {"q a": "right", "q b": "right", "q c": "slip", "q d": "slip"}
    found.note("where", here, {"q a": "right", "q b": "(value)", "q c": "other", "q e": "slip"})
    assert found.points == ["where, q b: right and (value)"]
    assert set(found.words) == {
        "where, q c: slip and other",
        "where, q d: slip and nothing",
        "where, q e: nothing and slip",
    }


@pytest.mark.sandbox
def test_samples_get_the_same_in_a_kernel_and_in_the_sandbox_whatever_the_load() -> None:
    chosen = [one for one in samples(checkout(), "ps0_start") if one.answers][:2]
    found = compare(checkout(), "ps0_start", chosen, range(1, 3), hogs=4)
    assert found.compared > 50
    assert (found.points, found.words) == ([], [])


@pytest.mark.sandbox
@pytest.mark.soak
@pytest.mark.parametrize("name", NAMES)
def test_every_sample_gets_the_same_everywhere(name: str) -> None:
    found = compare(checkout(), name, samples(checkout(), name), range(1, 41))
    assert (found.points, found.words) == ([], [])
