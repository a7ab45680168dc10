"""Tuning through the time steps: the quick run, and what the committed result must say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from experiments import provenance, resnet20_conversion
from experiments import resnet20_tuning as experiment
from snnkit.conversion import Correction, Maximum, PotentialCorrection, calibrate, convert, set_thresholds


@pytest.mark.slow
@pytest.mark.data
def test_quick_run_resumes(tmp_path: Path) -> None:
    sizes = replace(experiment.QUICK, steps=2)
    output = tmp_path / "quick.json"
    rows = experiment.run(sizes, output, progress=False)
    by_images = {(row["images"], row["method"]): row for row in rows}
    tried = [row for row in rows if row["method"].startswith("tuned, width")]
    assert len(tried) == len(sizes.settings)
    best = max(tried, key=lambda row: row["accuracy"])
    chosen = by_images["test", "tuned"]
    assert (chosen["width"], chosen["rate"]) == (best["width"], best["rate"])
    kept = provenance.read(output)
    kept["rows"][0]["accuracy"] = 0.123  # a mark: rows that are there must not be run again
    provenance.write(output, kept["rows"][:-1], kept["provenance"])
    again = experiment.run(sizes, output, progress=False)
    assert again[0]["accuracy"] == 0.123
    assert again[1:] == rows[1:]
    assert experiment.table(again).row_count == 8 + len(experiment.SEEDS)


def test_potential_correction_as_published_is_done_after_one_round() -> None:
    torch.manual_seed(0)
    network = convert(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3)))
    images, steps = torch.randn(30, 4), 4
    set_thresholds(network, images, Maximum(), progress=False)

    def potentials(correction: Correction) -> list[Tensor]:
        calibrate(network, images, steps, correction, progress=False)
        return [neuron.initial.clone() for neuron in network.neurons().values()]

    once, twice = (potentials(PotentialCorrection()) for _ in range(2))
    assert all(map(torch.equal, once, twice))
    assert all(map(torch.equal, once, potentials(experiment.RepeatedPotential(1))))
    assert not all(map(torch.equal, once, potentials(experiment.RepeatedPotential(2))))


def test_committed_result_is_complete() -> None:
    found = provenance.read(experiment.OUTPUT)
    accuracy = {(row["images"], row["method"]): row["accuracy"] for row in found["rows"]}
    settings, sizes = found["provenance"]["settings"], experiment.Sizes()
    assert len(accuracy) == len(found["rows"]) == 11 + len(sizes.settings) + 2 * len(experiment.SEEDS)
    assert settings["calibration"] == sizes.calibration
    assert settings["iterations"] == sizes.iterations
    earlier = provenance.read(resnet20_conversion.OUTPUT)
    assert accuracy["test", "ANN"] == earlier["provenance"]["settings"]["ann_accuracy"]
    corrected = max(row["accuracy"] for row in earlier["rows"] if row["steps"] == sizes.steps)
    assert corrected < accuracy["test", "tuned"] < accuracy["test", "no unevenness"] < accuracy["test", "ANN"]
    tried = {m: value for (_, m), value in accuracy.items() if m.startswith("tuned, width")}
    assert min(tried.values()) > accuracy["held out", "adaptive thresholds"]
    width, rate = experiment.CHOSEN
    assert max(tried, key=lambda method: tried[method]) == f"tuned, width {width:g}, rate {rate:g}"
    seeds = [accuracy["test", f"tuned, seed {seed}"] for seed in experiment.SEEDS]
    assert min(seeds) > accuracy["test", "potential correction"] > accuracy["test", "adaptive thresholds"]
