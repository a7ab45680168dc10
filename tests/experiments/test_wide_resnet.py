"""The WideResNets as spiking networks: the quick run, and what the committed result must say."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments import provenance
from experiments import wide_resnet as experiment
from snnkit.models import pretrained_card, pretrained_names


@pytest.mark.slow
@pytest.mark.data
def test_quick_run_resumes(tmp_path: Path) -> None:
    sizes = experiment.Sizes(
        images=4,
        layer_images=2,
        steps=(1, 2),
        remedy_steps=(1,),
        offset_steps=(1,),
        layer_steps=(2,),
        batch=4,
    )
    output = tmp_path / "quick.json"
    name = pretrained_names()[0]
    rows = experiment.run(sizes, output, names=(name,), progress=False)
    by_method = {(row["method"], row["steps"]): row for row in rows if row["kind"] == "accuracy"}
    levels = pretrained_card(name).levels
    assert by_method["plain", 2]["latency"] == 2
    assert by_method["SRP", 1]["latency"] == by_method["COS, layers together", 1]["latency"] == 1 + levels
    assert by_method["COS, layer by layer", 1]["latency"] == 1 + 13 * levels
    (layers,) = (row["layers"] for row in rows if row["kind"] == "layers")
    assert len(layers) == 13
    assert all(sum(layer["cases"].values()) == pytest.approx(1, abs=1e-5) for layer in layers)
    kept = provenance.read(output)
    kept["rows"][0]["accuracy"] = 0.123  # a mark: rows that are there must not be run again
    provenance.write(output, kept["rows"][:3], kept["provenance"])
    again = experiment.run(sizes, output, names=(name,), progress=False)
    assert again[0]["accuracy"] == 0.123
    assert again[1:] == rows[1:]
    assert experiment.table(again).row_count == 7


def test_committed_result_is_complete() -> None:
    found = provenance.read(experiment.OUTPUT)
    rows = found["rows"]
    accuracy = {
        (r["network"], r["method"], r["steps"]): r["accuracy"] for r in rows if r["kind"] == "accuracy"
    }
    assert len(rows) == len(accuracy) + len(pretrained_names()) * len(experiment.Sizes().layer_steps)
    for name in pretrained_names():
        card = pretrained_card(name)
        assert accuracy[name, "before conversion", 0] == card.accuracy
        # with T = L steps and no unevenness the spiking network is the trained one
        assert accuracy[name, "no unevenness", card.levels] == card.accuracy
        for steps in experiment.Sizes().steps:
            assert 0 <= accuracy[name, "plain", steps] <= 1
        assert accuracy[name, "plain", 64] > 0.9
        for row in rows:
            if row["network"] == name and row["kind"] == "layers":
                # the first layer has none, but for sums of float32 that end on the edge of a stair
                assert row["layers"][0]["uneven"] < 2e-4
                assert min(layer["uneven"] for layer in row["layers"][1:]) > row["layers"][0]["uneven"]
    assert len(found["provenance"]["data_sha256"]) == 3
