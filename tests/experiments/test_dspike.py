"""Fixed and adaptive temperatures: the quick run, what it costs, and the committed result."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments import dspike as experiment
from experiments import provenance


@pytest.mark.slow
@pytest.mark.data
def test_quick_run(tmp_path: Path) -> None:
    sizes = experiment.Sizes(
        recordings=20, hidden=8, frames=2, epochs=2, images=16, test_images=8, width=2, image_steps=2,
        image_epochs=1, batch=8, samples=2, temperatures=(3.0,), image_temperatures=(3.0,),
        differences=(0.3,), seeds=(0,), image_seeds=(0,),
    )  # fmt: skip
    rows = experiment.run(sizes, tmp_path / "quick.json", progress=False)
    assert [(row["data"], row["difference"]) for row in rows] == [
        ("nmnist", 0.0), ("nmnist", 0.3), ("cifar10", 0.0), ("cifar10", 0.1),
    ]  # fmt: skip
    fixed, adaptive = rows[:2]
    assert fixed["path"] == []
    assert fixed["choice_forwards"] == 0
    assert len(adaptive["path"]) == 2
    # two passes for each sampled weight, and one for each of three temperatures, before each of two epochs
    assert adaptive["choice_forwards"] == 2 * (2 * 2 + 3)
    assert adaptive["train_forwards"] == fixed["train_forwards"] == 2 * 2
    assert experiment.table(rows).row_count == 4


def test_committed_result_is_complete() -> None:
    found = provenance.read(experiment.OUTPUT)
    sizes = experiment.Sizes()
    recordings = len(sizes.seeds) * (len(sizes.temperatures) + len(sizes.differences))
    images = len(sizes.image_seeds) * (len(sizes.image_temperatures) + len(sizes.image_differences))
    assert len(found["rows"]) == recordings + images
    for row in found["rows"]:
        assert 0 <= row["accuracy"] <= 1
        assert bool(row["path"]) == bool(row["difference"])
    assert len(found["provenance"]["data_sha256"]) >= 3
