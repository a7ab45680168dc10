"""Whether luck decides what a sample gets: the samples of every set with the cases of several seeds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from typer.testing import CliRunner

from autograder.catalogue import OWN, Catalogue
from autograder.course import CourseError
from autograder.proof.__main__ import app
from autograder.proof.samples import sample
from autograder.proof.seeds import luck

IN_SETS = [
    pytest.param(name, marks=pytest.mark.xdist_group(f"samples-{name}")) for name in Catalogue(OWN).sets()
]


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [1, pytest.param(20, marks=pytest.mark.soak)])
@pytest.mark.parametrize("problem_set", IN_SETS)
def test_no_sample_owes_anything_to_luck(problem_set, seeds, proved):
    said = f"With each of {seeds} seeds every sample gets what it must.\n"
    assert proved("seeds", problem_set, "--seeds", str(seeds)) == said


def test_what_differs_is_told_with_its_seeds(root):
    one = sample(root, "ps0_start", "written_in_place")
    mistaken = replace(one.answers["spike_count"], fails={"edges": "strict_threshold"})
    changed = replace(one, answers={**one.answers, "spike_count": mistaken})
    assert luck(root, "ps0_start", [changed], [3, 5]) == {
        "written_in_place, spike_count, count: silent_counted; expected right": [3, 5],
        "written_in_place, spike_count, edges: silent_counted; expected strict_threshold": [3, 5],
    }


def test_release_that_is_missing_is_said(tmp_path):
    with pytest.raises(CourseError, match="run: make exercises"):
        luck(tmp_path, "ps0_start", [], [1])


@pytest.mark.parametrize("command", ["seeds", "mutants"])
def test_wrong_calls_are_told_apart_from_luck(command):
    done = CliRunner().invoke(app, [command, "ps9_none"])
    assert done.exit_code == 2
    assert "ps9_none" in done.output
    assert CliRunner().invoke(app, [command, "--seeds", "0"]).exit_code == 2
