"""What a sample gets does not depend on the cases that are drawn."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from autograder import corpus
from autograder.checks import problem_sets
from autograder.course import CourseError, checkout
from autograder.draws import luck, main

ROOT = checkout()


@pytest.mark.slow
@pytest.mark.parametrize(
    "problem_set",
    [pytest.param(name, marks=pytest.mark.xdist_group(f"corpus-{name}")) for name in problem_sets()],
)
def test_no_sample_owes_anything_to_luck(problem_set):
    """In a process of its own: a sample may leave anything behind."""
    done = subprocess.run(
        [sys.executable, "-m", "autograder.draws", problem_set, "--seeds", "3"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == "With each of 3 seeds every sample gets what it must.\n"


def test_what_differs_is_told_with_its_seeds():
    sample = next(one for one in corpus.samples("ps0_start") if one.name == "written_in_place")
    found = luck(ROOT, "ps0_start", [replace(sample, scores={**sample.scores, "spike_count": 0.5})], [3, 5])
    assert found == {"written_in_place, spike_count: 0.0; expected 0.5": [3, 5]}


def test_release_that_is_missing_is_said(tmp_path):
    with pytest.raises(CourseError, match="run: make exercises"):
        luck(tmp_path, "ps0_start", [], [1])


def test_wrong_calls_are_told_apart_from_luck(capsys):
    assert main(["ps9_none"]) == 2
    assert "ps9_none" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["--seeds", "0"])
    assert "--seeds must be at least 1" in capsys.readouterr().err
