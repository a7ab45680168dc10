"""The solution's notebook trains on real recordings."""

from __future__ import annotations

import pytest

from autograder.source import solution_notebook

PS = "ps2_surrogates"


@pytest.mark.slow
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
