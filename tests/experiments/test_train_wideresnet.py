"""The training of the WideResNets: stopped at any time it gives the same weights, and what it leaves is published."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from experiments import provenance, publish_wideresnet
from experiments import train_wideresnet as experiment
from snnkit.conversion import QCFS
from snnkit.models.trained import load

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (48, 3, 32, 32), dtype=np.uint8)
LABELS = RNG.integers(0, 10, 48)
SMALL = experiment.Settings(
    depth=10,
    width=1,
    batch=8,
    images=24,
    stages=tuple(experiment.Stage(s.name, s.levels, s.size, 1, s.rate) for s in experiment.STAGES),
)


class Stopped(Exception):
    pass


@pytest.mark.slow
def test_a_stopped_training_gives_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = experiment.Training(SMALL, tmp_path / "whole", PIXELS, LABELS)
    history = whole.run()
    assert [entry["stage"] for entry in history] == [stage.name for stage in SMALL.stages]
    plain = experiment.augmented
    calls = 0

    def stop(*arguments):
        nonlocal calls
        calls += 1
        if calls % 4 == 0:
            raise Stopped
        return plain(*arguments)

    monkeypatch.setattr(experiment, "augmented", stop)
    stops = 0
    while True:
        parts = experiment.Training(SMALL, tmp_path / "parts", PIXELS, LABELS)
        try:
            parts.run(every=0.0)
            break
        except Stopped:
            stops += 1
    assert stops >= 3
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, parts.model.state_dict()[name]), name
    with pytest.raises(ValueError, match="belongs to other settings"):
        experiment.Training(experiment.quick(), tmp_path / "whole", PIXELS, LABELS)
    cards = publish_wideresnet.publish(SMALL, tmp_path / "whole", tmp_path / "assets", PIXELS, LABELS)
    assert [card.name for card in cards] == ["wrn10_1_qcfs8", "wrn10_1_qcfs4"]
    model = load(tmp_path / "assets" / "wrn10_1_qcfs4.safetensors")
    for name, value in model.state_dict().items():
        trained = whole.model.state_dict()[name]
        assert torch.equal(value, trained.half().float() if value.is_floating_point() else trained)


def test_clips_begin_at_a_percentile_of_what_is_transmitted() -> None:
    model = experiment.build(SMALL, 0)
    x = experiment.normalised(PIXELS[:16])
    following = experiment.next_model(model, SMALL, experiment.Stage("q", 8, 32, 1, (0.1, 0.1)), x)
    seen = []
    model.eval().groups[0][0].act1.register_forward_hook(lambda m, i, o: seen.append(o))
    model(x)
    first = following.groups[0][0].act1
    assert isinstance(first, QCFS)
    assert float(first.clip.detach()) == pytest.approx(np.percentile(seen[0].detach().numpy(), 99.5))


def test_unfinished_trainings_are_not_published(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no finished training"):
        publish_wideresnet.publish(SMALL, tmp_path, tmp_path, PIXELS, LABELS)


def test_committed_history_is_complete() -> None:
    found = provenance.read(publish_wideresnet.OUTPUT)
    assert [(row["stage"], row["epoch"]) for row in found["rows"]] == [
        (stage.name, epoch + 1) for stage in experiment.STAGES for epoch in range(stage.epochs)
    ]
    assert len(found["provenance"]["data_sha256"]) == 5
