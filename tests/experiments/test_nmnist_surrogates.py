"""The surrogates on N-MNIST: a quick run that is stopped and resumed, and the committed result."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from experiments import nmnist_surrogates as experiment
from experiments import provenance
from experiments.rows import Job, fill

COLUMNS = {"group", "surrogate", "parameters", "seed", "accuracy", "test_accuracy", "loss"}


def test_rows_that_are_there_are_not_measured_again(tmp_path: Path) -> None:
    output, measured = tmp_path / "x.json", list[int]()

    def job(number: int) -> Job:
        def work() -> dict[str, int]:
            measured.append(number)
            if len(measured) == 2:
                raise KeyboardInterrupt
            return {"square": number**2}

        return Job({"number": number}, work)

    jobs = [job(number) for number in range(3)]
    with pytest.raises(KeyboardInterrupt):
        fill(output, jobs, seed=0, data={}, settings={"a": 1}, progress=False)
    rows = fill(output, jobs, seed=0, data={}, settings={"a": 1}, progress=False)
    assert rows == [{"number": number, "square": number**2} for number in range(3)]
    assert measured == [0, 1, 1, 2]
    assert provenance.read(output)["rows"] == rows
    with pytest.raises(ValueError, match=r"other settings \{'a': \(1, 2\)\}"):
        fill(output, jobs, seed=0, data={}, settings={"a": 2}, progress=False)
    with pytest.raises(ValueError, match="same key"):
        fill(output, [jobs[0], jobs[0]], seed=0, data={}, settings={"a": 1}, progress=False)


@pytest.mark.slow
@pytest.mark.data
def test_quick_run_on_real_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiment, "FAMILY_ROWS", experiment.FAMILY_ROWS[:1])
    monkeypatch.setattr(experiment, "SWEEPS", {"Sine": (1.0,)})
    monkeypatch.setattr(experiment, "WIDTHS", (1.0,))
    rows = experiment.run(experiment.QUICK, tmp_path / "quick.json", progress=False)
    assert Counter(row["group"] for row in rows) == {
        "family": 1, "frame network": 1, "simulated": 1, "height fixed": 1, "sweep": 1, "linear readout": 1,
    }  # fmt: skip
    assert all(set(row) >= COLUMNS and 0 <= row["accuracy"] <= 1 for row in rows)
    assert experiment.table(rows).row_count == 6


def test_committed_result_is_complete() -> None:
    found = provenance.read(experiment.OUTPUT)
    sizes = experiment.Sizes()
    assert found["provenance"]["settings"]["recordings"] == sizes.recordings
    assert len(found["provenance"]["data_sha256"]) == 3
    accuracy: dict[tuple[str, str, str], list[float]] = {}
    for row in found["rows"]:
        assert set(row) >= COLUMNS
        accuracy.setdefault((row["group"], row["surrogate"], str(row["parameters"])), []).append(
            row["accuracy"]
        )
    for name, parameters in experiment.FAMILY_ROWS:
        assert len(accuracy["family", name, str(parameters)]) == len(sizes.seeds)
    for name, values in experiment.SWEEPS.items():
        for value in values:
            assert len(accuracy["sweep", name, str({"alpha": value})]) == len(sizes.sweep_seeds)
    # a narrow surrogate with the default drive is a dead network; a wide one learns
    assert np.mean(accuracy["sweep", "PiecewiseQuadratic", str({"alpha": 4.0})]) < 0.2
    assert np.mean(accuracy["family", "Sigmoid", str({"alpha": 4.0})]) > 0.85
