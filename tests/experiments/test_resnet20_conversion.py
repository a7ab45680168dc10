"""The conversion experiment: its files, its resumption, its quick run, and the committed result."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch

from experiments import provenance
from experiments import resnet20_conversion as experiment
from snnkit.conversion import Maximum, convert, set_thresholds

KEYS = {"method", "granularity", "rounding", "steps", "accuracy", "images", "seed"}


def test_provenance_and_atomic_write(tmp_path: Path) -> None:
    data = tmp_path / "data.bin"
    data.write_bytes(b"abc")
    clock = provenance.Clock(100.0)
    record = provenance.provenance(seed=3, data={"set/data.bin": data}, clock=clock, images=10)
    assert record["data_sha256"] == {"set/data.bin": hashlib.sha256(b"abc").hexdigest()}
    assert record["seed"] == 3
    assert record["settings"] == {"images": 10}
    assert record["wall_time_s"] >= 100
    assert record["versions"]["torch"] == torch.__version__.partition("+")[0] or record["versions"]["torch"]
    assert "core" in record["hardware"]
    assert str(tmp_path) not in json.dumps(record)
    path = tmp_path / "results" / "x.json"
    provenance.write(path, [{"a": 1}], record)
    assert provenance.read(path) == {"rows": [{"a": 1}], "provenance": record}
    assert [p.name for p in path.parent.iterdir()] == ["x.json"]


def test_unfinished_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"rows": [', encoding="utf-8")
    with pytest.raises(ValueError, match=r"x.json is not a complete JSON file"):
        provenance.read(path)
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(ValueError, match=r"must hold 'rows' and 'provenance'"):
        provenance.read(path)
    assert provenance.versions(["no-such-package-here"])["no-such-package-here"] == "not installed"


def test_counts_of_all_steps_come_from_one_run() -> None:
    torch.manual_seed(0)
    network = convert(torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)))
    images = torch.randn(30, 4)
    set_thresholds(network, images, Maximum(), progress=False)
    data = experiment.Data(images, network.analog(images).argmax(1), images)
    together = experiment.correct_counts(network, data, (1, 4, 16), batch=7)
    for steps, count in together.items():
        assert count == int((network(images, steps).argmax(1) == data.labels).sum())
    assert together[16] > together[1]


@pytest.mark.slow
@pytest.mark.data
def test_quick_run_resumes_and_refuses_other_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "quick.json"
    sizes = experiment.Sizes(images=6, calibration=4, iterations=1, steps=(1, 2), batch=6)
    chosen = [s for s in experiment.settings(1) if s.method in ("maximum", "shift", "adaptive + BC + PC")][:3]
    monkeypatch.setattr(experiment, "settings", lambda iterations: tuple(chosen))
    rows = experiment.run(sizes, 0, output, progress=False)
    assert len(rows) == 6
    assert all(set(row) == KEYS and 0 <= row["accuracy"] <= 1 for row in rows)
    kept = provenance.read(output)
    kept["rows"] = [row for row in rows if row["method"] == "maximum" or row["steps"] == 1]
    kept["rows"][0]["accuracy"] = 0.123  # a mark: rows that are there must not be run again
    provenance.write(output, kept["rows"], kept["provenance"])
    again = experiment.run(sizes, 0, output, progress=False)
    assert again[0]["accuracy"] == 0.123
    key = ("method", "granularity", "rounding", "steps")
    assert sorted(str([r[k] for k in key]) for r in again) == sorted(str([r[k] for k in key]) for r in rows)
    with pytest.raises(ValueError, match=r"made with other settings \{'images': \(6, 5\)\}"):
        experiment.run(
            experiment.Sizes(images=5, calibration=4, iterations=1, steps=(1,), batch=6), 0, output
        )
    assert experiment.table(again).row_count == 3


def test_committed_result_is_complete() -> None:
    found = provenance.read(experiment.OUTPUT)
    rows = found["rows"]
    assert all(set(row) == KEYS and row["images"] == 1000 for row in rows)
    assert {row["rounding"] for row in rows} == {"floor", "shift", "v0"}
    accuracy = {(r["method"], r["granularity"], r["rounding"], r["steps"]): r["accuracy"] for r in rows}
    assert len(accuracy) == len(rows)
    for setting in experiment.settings():
        for steps in experiment.STEPS:
            assert 0 <= accuracy[setting.method, setting.granularity, setting.rounding, steps] <= 1
    record = found["provenance"]
    assert record["settings"]["ann_accuracy"] == 0.915
    assert len(record["data_sha256"]) == 3
    assert record["wall_time_s"] > 0
    # every method comes close to the ANN in the end, and flooring alone is the worst at T = 32
    assert max(a for (_, _, _, steps), a in accuracy.items() if steps == 128) > 0.9
    assert accuracy["maximum", "layer", "floor", 32] == min(a for k, a in accuracy.items() if k[3] == 32)


def test_a_run_that_goes_on_elsewhere_names_both_machines() -> None:
    there = {"wall_time_s": 5.0, "hardware": "another processor"}
    clock = provenance.Clock.after(there)
    assert clock.hardware() == f"another processor; then {provenance.hardware()}"
    again = provenance.Clock.after({**there, "hardware": clock.hardware()})
    assert again.hardware() == clock.hardware()
    assert again.seconds() >= 5.0
