"""Tuning through the time steps: the quick run, and what the committed result must say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from experiments import provenance, resnet20_conversion
from experiments import resnet20_tuning as experiment


@pytest.mark.data
def test_quick_run_resumes(tmp_path: Path) -> None:
    sizes = replace(experiment.QUICK, steps=2)
    output = tmp_path / "quick.json"
    rows = experiment.run(sizes, output, progress=False)
    by_images = {(row["images"], row["method"]): row for row in rows}
    tried = [row for row in rows if "width" in row and row["images"] == "held out"]
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
    assert experiment.table(again).row_count == 6


def test_committed_result_is_complete() -> None:
    found = provenance.read(experiment.OUTPUT)
    accuracy = {(row["images"], row["method"]): row["accuracy"] for row in found["rows"]}
    settings, sizes = found["provenance"]["settings"], experiment.Sizes()
    assert len(accuracy) == len(found["rows"]) == 7 + len(sizes.settings)
    assert settings["calibration"] == sizes.calibration
    assert settings["iterations"] == sizes.iterations
    earlier = provenance.read(resnet20_conversion.OUTPUT)
    assert accuracy["test", "ANN"] == earlier["provenance"]["settings"]["ann_accuracy"]
    corrected = max(row["accuracy"] for row in earlier["rows"] if row["steps"] == sizes.steps)
    assert corrected < accuracy["test", "tuned"] < accuracy["test", "no unevenness"] < accuracy["test", "ANN"]
    tried = [value for (_, method), value in accuracy.items() if method.startswith("tuned, ")]
    assert min(tried) > accuracy["held out", "adaptive thresholds"]
