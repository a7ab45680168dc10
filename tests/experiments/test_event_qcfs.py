"""Events through QCFS: the quick runs, CIFAR10-DVS on files written here, and the committed result."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments import cifar10_dvs, provenance
from experiments import event_qcfs as experiment
from snnkit.datasets.catalogue import CIFAR10_NAMES
from snnkit.energy import count_spiking
from snnkit.events import CIFAR10_DVS, Events, write_aedat2
from snnkit.layers import LIF
from snnkit.models import FiringRate, two_layer_event_snn
from snnkit.training import History

SYSTEMS = set(experiment.SYSTEMS)


@pytest.mark.data
def test_quick_run(tmp_path: Path) -> None:
    sizes = experiment.Sizes(
        recordings=20, hidden=8, frames=2, epochs=1, qcfs_epochs=1, level=0.0, steps=(1, 2), seeds=(0,)
    )
    rows = experiment.run(sizes, tmp_path / "quick.json", progress=False)
    assert [row["system"] for row in rows] == [
        experiment.SYSTEMS[0], *[experiment.SYSTEMS[1]] * 2, *experiment.SYSTEMS[2:],
    ]  # fmt: skip
    assert all(0 <= row["accuracy"] <= 1 and row["energy_nj"] > 0 for row in rows)
    assert rows[0]["epochs_to_level"] == rows[-1]["epochs_to_level"] == 1
    assert experiment.table(rows).row_count == 5


def test_when_the_level_is_reached() -> None:
    history = History(validation=[0.5, 0.8, 0.9], seconds=[1.0, 2.0, 4.0])
    assert experiment.learning(history, 0.8)["epochs_to_level"] == 2
    assert experiment.learning(history, 0.8)["seconds_to_level"] == 3.0
    assert experiment.learning(history, 0.95)["seconds_to_level"] is None


def test_operations_are_counted_on_the_same_network() -> None:
    torch.manual_seed(0)
    model = two_layer_event_snn(18, 6, 3, neuron=LIF, readout=FiringRate(LIF()), dropout=0.0)
    dense = experiment.Dense(model)
    frames = torch.rand(4, 5, 2, 3, 3)
    with torch.no_grad():
        assert torch.allclose(dense(frames), model.eval()(frames))
    assert count_spiking(dense, frames).dense == 4 * (18 * 6 + 6 * 3)


def test_committed_result_is_complete() -> None:
    found = provenance.read(experiment.OUTPUT)
    rows, sizes = found["rows"], experiment.Sizes()
    assert len(rows) == len(sizes.seeds) * (len(sizes.steps) + 3)
    assert {row["system"] for row in rows} == SYSTEMS
    for row in rows:
        if row["system"] == "converted, mean frame":
            assert row["uneven"][0] < 1e-4  # a constant current has none, but for float32 sums
        if row["system"] == "converted, frames in order":
            assert row["uneven"][0] > 0.01


@pytest.mark.slow
def test_cifar10_dvs_says_that_nothing_was_measured(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "experiments.cifar10_dvs", "--quick", "--data", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("nothing was measured: CIFAR10-DVS")
    assert len(done.stderr.splitlines()) == 1


def test_cifar10_dvs_runs_on_files_of_its_format(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    for word in CIFAR10_NAMES:
        folder = tmp_path / "cifar10_dvs" / word
        folder.mkdir(parents=True)
        for number in range(10):
            t = np.sort(draw.integers(0, 10_000, 400))
            x, y, p = (draw.integers(0, top, 400) for top in (128, 128, 2))
            write_aedat2(folder / f"cifar10_{word}_{number}.aedat", Events(x, y, p, t), CIFAR10_DVS)
    sizes = cifar10_dvs.Sizes(train=10, test=None, frames=2, width=2, epochs=1, steps=(1,))
    rows = cifar10_dvs.run(sizes, tmp_path / "out.json", root=tmp_path, progress=False)
    assert [row["system"] for row in rows] == [
        "QCFS network", "converted, mean frame", "converted, frames in order",
    ]  # fmt: skip
    assert all(0 <= row["accuracy"] <= 1 for row in rows)
