"""Faults of the second order: refused, or on the list with a reason."""

from __future__ import annotations

import pytest

from autograder.course import CourseError
from autograder.proof import second_order
from autograder.proof.second_order import Fault, Played, listed, wrong_about

LISTED = ("ps0_start", "ps1_neurons", "ps2_surrogates", "ps3_dspike")
BRIEF = {"ps1_neurons": ("latency_code",), "ps3_dspike": ("choice", "any_threshold")}
"""Questions that every run tries; a soak tries all."""


@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.parametrize("problem_set", LISTED)
def test_every_fault_is_refused_or_has_a_reason(problem_set, root):
    assert listed(root, problem_set)
    assert list(wrong_about(root, problem_set)) == []


@pytest.mark.parametrize("problem_set", BRIEF)
def test_faults_of_some_questions(problem_set, root, monkeypatch):
    some = [fault for fault in listed(root, problem_set) if fault.question in BRIEF[problem_set]]
    monkeypatch.setattr(second_order, "listed", lambda root, problem_set: some)
    assert some
    assert list(wrong_about(root, problem_set)) == []


def test_what_is_listed_falsely_is_told(root, monkeypatch):
    faults = [
        Fault("spike_count", "rounded", ((">= threshold", "> threshold"),), "rounding"),
        Fault("spike_count", "as_right", (("int(", "float("),)),
    ]
    monkeypatch.setattr(second_order, "listed", lambda root, problem_set: faults)
    first, second = wrong_about(root, "ps0_start")
    assert first.startswith("spike_count.rounded is refused (edges: ")
    assert second == "spike_count.as_right survives without a reason"


def test_the_list_of_the_practice_set_is_exact(proved):
    assert proved("second-order", "ps0_start").endswith(" faults tried\n")


def test_an_edit_that_does_not_fit_is_told(root):
    with pytest.raises(CourseError, match=r"spike_count\.other: there is no 'nowhere'"):
        Played(root, "ps0_start", "spike_count").refused(Fault("spike_count", "other", (("nowhere", ""),)))


def test_a_list_that_cannot_be_read_names_its_file(tmp_path):
    (tmp_path / "solutions" / "ps9").mkdir(parents=True)
    (tmp_path / "solutions" / "ps9" / "second_order.toml").write_text("[q.kind]\nsurvives = 'no edits'\n")
    with pytest.raises(CourseError, match=r"second_order\.toml"):
        listed(tmp_path, "ps9")
    assert listed(tmp_path, "ps8") == []
