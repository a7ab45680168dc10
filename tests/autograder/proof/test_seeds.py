"""Whether luck decides what a sample gets: the samples of every set with the cases of several seeds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from autograder.catalogue import OWN, Catalogue
from autograder.course import CourseError
from autograder.proof.__main__ import app
from autograder.proof.listed import unseen
from autograder.proof.samples import sample
from autograder.proof.seeds import luck
from autograder.proof.settings import settings
from autograder.question import Case, Group, Question, Slip, call

IN_SETS = [
    pytest.param(name, marks=pytest.mark.xdist_group(f"samples-{name}")) for name in Catalogue(OWN).sets()
]


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [1, pytest.param(40, marks=pytest.mark.soak)])
@pytest.mark.parametrize("problem_set", IN_SETS)
def test_no_sample_owes_anything_to_luck(problem_set, seeds, proved):
    said = f"With each of {seeds} seeds every sample gets what it must, and every slip is refused.\n"
    assert proved("seeds", problem_set, "--seeds", str(seeds), "--trained", "5") == said


def test_what_differs_is_told_with_its_seeds(root):
    one = sample(root, "ps0_start", "written_in_place")
    mistaken = replace(one.answers["spike_count"], fails={"edges": "strict_threshold"})
    changed = replace(one, answers={**one.answers, "spike_count": mistaken})
    assert luck(root, "ps0_start", [changed], [3, 5]) == {
        "written_in_place, spike_count, count: silent_counted; expected right": [3, 5],
        "written_in_place, spike_count, edges: silent_counted; expected strict_threshold": [3, 5],
    }


def toy(draw):
    """Twice a number, which the square hits for some draws."""
    return Question(
        "toy.double", "Twice", (Group("all", 1.0, "all"),),
        lambda rng: [Case("all", "a number", call("double", np.array([draw(rng)])))],
        {"double": lambda x: 2 * x}, slips=(Slip("square", "This is the square.", lambda x: x**2),), tensors=False,
    )  # fmt: skip


def test_a_slip_that_some_draw_hides_is_told_with_its_seeds():
    assert unseen(toy(lambda rng: 3.0), range(4)) == {}
    hidden = unseen(toy(lambda rng: float(rng.choice([2.0, 3.0]))), range(20))
    ((line, seeds),) = hidden.items()
    assert line.startswith("toy.double: the slip 'square' is refused ")
    assert 0 < len(seeds) < 20
    assert unseen(toy(lambda rng: 2.0), [5]) == {"toy.double: the slip 'square' is refused nowhere": [5]}


def test_only_what_is_asked_for_is_asked_and_where_something_is_trained_with_few_seeds(monkeypatch, root):
    one = sample(root, "ps0_start", "written_in_place")
    changed = replace(one, answers={name: replace(answer, fails={}) for name, answer in one.answers.items()})
    few = replace(settings(root, "ps0_start"), trained=("shares",))
    monkeypatch.setattr("autograder.proof.seeds.settings", lambda root, problem_set: few)
    only = ["ps0.shares", "ps0.spike_count"]
    found = luck(root, "ps0_start", [changed], [3, 5], trained=1, only=only)
    asked = {(line.split(", ")[1], tuple(seeds)) for line, seeds in found.items()}
    assert asked == {("shares", (3,)), ("spike_count", (3, 5))}


def test_release_that_is_missing_is_said(tmp_path):
    with pytest.raises(CourseError, match="run: make exercises"):
        luck(tmp_path, "ps0_start", [], [1])


@pytest.mark.parametrize("command", ["seeds", "mutants"])
def test_wrong_calls_are_told_apart_from_luck(command):
    done = CliRunner().invoke(app, [command, "ps9_none"])
    assert done.exit_code == 2
    assert "ps9_none" in done.output
    assert CliRunner().invoke(app, [command, "--seeds", "0"]).exit_code == 2
