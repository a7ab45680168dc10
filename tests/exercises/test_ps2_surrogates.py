"""The problem set itself: its solution runs, its samples get exactly what they must, nbgrader's Validate agrees."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from autograder import corpus
from autograder.checks import checks_of
from autograder.course import exercise_of
from autograder.notebook import dump
from autograder.source import solution_notebook

PS = "ps2_surrogates"
SAMPLES = corpus.samples(PS)
WRONG = [sample for sample in SAMPLES if sample.cells and sample.misconceptions]


def test_samples_cover_the_set():
    full = {check.id.split(".")[1]: check.points for check in checks_of(PS)}
    scores = {sample.name: sample.scores for sample in SAMPLES}
    assert scores["solution"] == scores["second_correct"] == full
    assert set(scores["untouched"].values()) == {0.0}
    assert len(WRONG) >= 5
    for question, points in full.items():
        wrong = [sample.name for sample in WRONG if sample.scores[question] < points]
        assert len(wrong) >= 2, f"{question} is answered wrongly by {wrong} only"
    for sample in SAMPLES:
        assert set(sample.scores) == set(full)
        assert all(sample.scores[question] < full[question] for question in sample.misconceptions)


def test_sample_with_an_unknown_cell_is_refused(root):
    sample = corpus.Sample("typo", "", {"sine_derivativ": "1"}, {}, {}, {})
    with pytest.raises(corpus.CourseError, match="there is no answer cell 'sine_derivativ'"):
        corpus.build(root, PS, sample, exercise_of(root, PS).read_bytes())


def test_difference_from_the_expected_score_is_reported():
    from dataclasses import replace

    from autograder.graded import Graded, Mark
    from autograder.result import Failure, GroupResult, Result, Said

    def outcome(sample, name, score):
        failure = Failure("value", sample.messages.get(name, ""), 0, "")
        groups = [GroupResult("g", "", 4.0, 0.0, 1, failure)] + [
            GroupResult(id, "", 0.0, 0.0, 1, failure, Said(id, "")) for id in sample.misconceptions.get(name, [])
        ]
        return Mark(4.0, score, result=Result(f"ps2.{name}", "", 4.0, score, 1, tuple(groups)))

    right = {
        sample.name: Graded(
            sample.name, {name: outcome(sample, name, score) for name, score in sample.scores.items()}
        )
        for sample in SAMPLES
    }
    assert corpus.differences(PS, list(right.values())) == []
    solution, half = right["solution"].questions, right["half_done"].questions
    solution["training"] = replace(solution["training"], auto=3.0)
    unnamed = replace(half["two_layer_snn"].result, groups=half["two_layer_snn"].result.groups[:1])
    half["two_layer_snn"] = replace(half["two_layer_snn"], result=unnamed)
    del right["untouched"]
    assert corpus.differences(PS, list(right.values())) == [
        "solution, training: 3.0; expected 4.0",
        "untouched: not graded",
        "half_done, two_layer_snn: misconceptions []; expected ['single_step_mode']",
    ]


def environment():
    variables = {**os.environ, "OMP_NUM_THREADS": "1"}
    variables.pop("SNNKIT_DATA", None)
    return variables


@pytest.mark.data
def test_notebook_trains_on_the_real_recordings(root, data_root, monkeypatch):
    """The notebook's own cells, given the real N-MNIST: 800 recordings to learn from, the next 200 held out."""
    monkeypatch.setenv("SNNKIT_DATA", str(data_root))
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: None)
    wanted = (
        "setup",
        "recordings",
        "sine_derivative_answer",
        "sine_surrogate_answer",
        "two_layer_snn_answer",
    )
    wanted += ("training_answer", "budgets")
    space = {}
    for cell in solution_notebook(root, PS).cells:
        if cell.id in wanted:
            exec(cell.source, space)
    assert space["digits"].real
    assert space["train_frames"].shape == (10, 800, 2, 34, 34)
    assert space["held_out_frames"].shape == (10, 200, 2, 34, 34)
    network, losses = space["trained"](space["Sine"](1.0), hidden=200, epochs=8, seed=0)
    assert losses[-1] < losses[0] / 3
    assert space["accuracy"](network, space["held_out_frames"], space["held_out_labels"]) > 0.75


@pytest.mark.slow
def test_solution_notebook_runs_without_an_error(root, tmp_path):
    """nbval-lax runs every cell of the instructor's notebook in a kernel."""
    notebook = tmp_path / "solution.ipynb"
    notebook.write_bytes(dump(solution_notebook(root, PS)))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval-lax",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
    ]
    done = subprocess.run(
        [*command, str(notebook)],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert "failed" not in done.stdout
