"""Errors and remedies of the converted ResNet-20: the quick run, and what the committed result must say."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments import provenance, resnet20_conversion
from experiments import resnet20_errors as experiment


@pytest.mark.slow
@pytest.mark.data
def test_quick_run_resumes(tmp_path: Path) -> None:
    sizes = experiment.Sizes(images=4, layer_images=2, thresholds=4, steps=(1,), batch=4)
    output = tmp_path / "quick.json"
    rows = experiment.run(sizes, output, progress=False)
    by_method = {(row["method"], row["steps"]): row for row in rows if row["kind"] == "accuracy"}
    assert by_method["plain", 1]["latency"] == by_method["signed spikes", 1]["latency"] == 1
    assert by_method["plain", 2]["latency"] == 2
    assert by_method["SRP", 1]["latency"] == by_method["COS, layers together", 1]["latency"] == 2
    (layers,) = (row["layers"] for row in rows if row["kind"] == "layers")
    assert len(layers) == 19
    assert all(sum(layer["cases"].values()) == pytest.approx(1, abs=1e-5) for layer in layers)
    kept = provenance.read(output)
    kept["rows"][0]["accuracy"] = 0.123  # a mark: rows that are there must not be run again
    provenance.write(output, kept["rows"][:3], kept["provenance"])
    again = experiment.run(sizes, output, progress=False)
    assert again[0]["accuracy"] == 0.123
    assert again[1:] == rows[1:]
    assert experiment.table(again).row_count == 6


def test_committed_result_is_complete() -> None:
    found, sizes = provenance.read(experiment.OUTPUT), experiment.Sizes()
    rows = found["rows"]
    accuracy = {(r["method"], r["steps"]): r["accuracy"] for r in rows if r["kind"] == "accuracy"}
    layers = {row["steps"]: row["layers"] for row in rows if row["kind"] == "layers"}
    assert len(rows) == len(accuracy) + len(layers)
    assert set(layers) == set(sizes.steps)
    earlier = provenance.read(resnet20_conversion.OUTPUT)["provenance"]
    assert accuracy["before conversion", 0] == earlier["settings"]["ann_accuracy"]
    for steps in sizes.steps:
        assert accuracy["plain", steps] < accuracy["no unevenness", steps]
        first, *others = layers[steps]
        # the first layer has none, but for sums of float32 that end on the edge of a stair
        assert first["uneven"] < 2e-4 < min(layer["uneven"] for layer in others)
