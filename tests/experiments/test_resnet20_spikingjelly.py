"""SpikingJelly's recipes: its network is ours where the thresholds are, the quick run, and the committed result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from experiments import provenance, resnet20_conversion
from experiments import resnet20_spikingjelly as experiment
from snnkit.conversion import Floor, Maximum, convert, set_thresholds
from snnkit.models import resnet20


def small() -> tuple[experiment.ResNet, resnet20_conversion.Data]:
    torch.manual_seed(0)
    images, calibration = torch.randn(2, 12, 3, 32, 32)
    model = resnet20().eval()
    with torch.no_grad():
        labels = model(images).argmax(1)
    return model, resnet20_conversion.Data(images, labels, calibration)


def test_the_rewritten_shortcut_computes_the_same() -> None:
    model, data = small()
    with torch.no_grad():
        assert torch.equal(experiment.accepted(model)(data.images), model(data.images))
    assert any(isinstance(module, experiment.OptionA) for module in model.modules())  # ours is left alone


@pytest.mark.slow
def test_rate_coding_with_the_maximum_is_our_conversion_but_for_rounding() -> None:
    model, data = small()
    model, images, calibration, steps = model.double(), data.images.double(), data.calibration.double(), 16
    data = resnet20_conversion.Data(images, data.labels, calibration)
    theirs = experiment.converted(model, experiment.recipes()[0], data, experiment.QUICK)
    network = convert(model).double()
    set_thresholds(network, calibration, Maximum(), Floor(), progress=False)
    thresholds = [float(neuron.threshold) for neuron in network.neurons().values()]
    scales = {name: module for name, module in theirs.named_modules() if "scaler" in name}
    assert len(scales) == 2 * len(thresholds)
    for name, module in scales.items():  # they are kept in float32: here they are what they were rounded from
        exact = [1 / theta if name.endswith("0") else theta for theta in thresholds]
        nearest = min(exact, key=lambda value: abs(value - float(module.scale)))
        assert float(module.scale) == pytest.approx(nearest, rel=1e-7)
        module.scale = torch.tensor(nearest, dtype=torch.float64)
    total = torch.zeros(())
    with torch.no_grad():
        for _ in range(steps):
            total = total + theirs(images)
    assert torch.allclose(total / steps, network(images, steps), atol=1e-9)


def test_potentials_are_reset_between_batches() -> None:
    model, data = small()
    theirs = experiment.converted(model, experiment.recipes()[0], data, experiment.QUICK)
    counts = experiment.correct_counts(theirs, data, (2, 8), batch=6)
    assert set(counts) == {2, 8}
    assert counts == experiment.correct_counts(theirs, data, (2, 8), batch=6)


@pytest.mark.slow
@pytest.mark.data
def test_quick_run_resumes(tmp_path: Path) -> None:
    sizes = replace(experiment.QUICK, images=4, batch=4)
    output = tmp_path / "quick.json"
    rows = experiment.run(sizes, output, progress=False)
    assert [row["recipe"] for row in rows[::2]] == [recipe.name for recipe in experiment.recipes()]
    assert all(row["images"] == 4 and 0 <= row["accuracy"] <= 1 for row in rows)
    kept = provenance.read(output)
    kept["rows"][0]["accuracy"] = 0.123  # a mark: rows that are there must not be run again
    provenance.write(output, kept["rows"][:6], kept["provenance"])
    again = experiment.run(sizes, output, progress=False)
    assert again[0]["accuracy"] == 0.123
    assert again[1:] == rows[1:]
    assert experiment.table(again).row_count == 4


def test_committed_result_is_complete() -> None:
    found = provenance.read(experiment.OUTPUT)
    names = ("thresholds", "granularity", "rounding", "steps")
    accuracy = {tuple(row[name] for name in names): row["accuracy"] for row in found["rows"]}
    assert len(accuracy) == len(found["rows"]) == len(experiment.recipes()) * len(experiment.Sizes().steps)
    assert all(row["images"] == 1000 for row in found["rows"])
    ours = {
        (row["method"], row["granularity"], row["rounding"], row["steps"]): row["accuracy"]
        for row in provenance.read(resnet20_conversion.OUTPUT)["rows"]
    }
    for theirs, method in (("max", "maximum"), ("99.9%", "percentile")):
        for steps in experiment.Sizes().steps:
            mine = ours[method, "layer", "floor", steps]
            assert accuracy[theirs, "layer", "floor", steps] == pytest.approx(mine, abs=0.01)
