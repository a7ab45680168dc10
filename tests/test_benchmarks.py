"""The benchmark harness and its report, on functions whose cost is known; nothing here depends on time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from typer.testing import CliRunner

from benchmarks import harness, run
from benchmarks.harness import BenchmarkRow, Ratio

FAKE = """
import os
import torch
from benchmarks.harness import BenchmarkRow

def entries():
    return [BenchmarkRow("one", 1.5, (1.4, 1.6), {"peer": 3.0}, peak_mb=float(torch.get_num_threads()), bar=2.0,
                  note=os.environ["OMP_NUM_THREADS"])]
"""


def test_variants_take_turns() -> None:
    calls: list[str] = []
    result = harness.compare(
        lambda: calls.append("floor"),
        {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")},
        rounds=4,
        warmup=2,
    )
    assert calls == ["floor", "a", "b"] * 6
    assert list(result) == ["a", "b"]


def test_ratio_is_the_median_of_ratios_within_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow spell hits both: ratios of one round, not of the medians, and the quartiles of five rounds."""
    times = {"floor": iter([1.0, 10.0, 1.0, 2.0, 4.0]), "own": iter([2.0, 20.0, 3.0, 2.0, 16.0])}

    def floor() -> str:
        return "floor"

    def own() -> str:
        return "own"

    def clock(function: Callable[[], object]) -> float:
        return next(times[str(function())])

    monkeypatch.setattr(harness, "seconds", clock)
    assert harness.compare(floor, {"own": own}, rounds=5, warmup=0) == {"own": Ratio(2.0, 2.0, 3.0)}


def test_seconds_counts_up() -> None:
    assert harness.seconds(lambda: sum(range(1000))) > 0


@pytest.mark.slow
def test_peak_growth_sees_what_a_function_allocates() -> None:
    def prepare(megabytes: int) -> Callable[[], Callable[[], object]]:
        return lambda: lambda: np.ones(megabytes * 2**17)

    assert 180 < harness.peak_growth_mb(prepare(200)) < 400
    assert harness.peak_growth_mb(prepare(1)) < 20


@pytest.mark.slow
def test_peak_growth_does_not_count_the_preparation() -> None:
    def prepare() -> Callable[[], object]:
        ballast = np.ones(100 * 2**17)
        return lambda: float(ballast[0])

    assert harness.peak_growth_mb(prepare) < 20


@pytest.mark.slow
def test_peak_growth_reports_a_process_that_dies() -> None:
    with pytest.raises(RuntimeError, match="ended early with exit code 3"):
        harness.peak_growth_mb(lambda: lambda: os._exit(3))


# --- the report -------------------------------------------------------------------------------------------


def example(name: str = "train", ratio: float = 1.04, bar: float | None = 1.1) -> BenchmarkRow:
    return BenchmarkRow(
        name, ratio, (1.0, 1.1), {"spikingjelly": 1.25, "norse": 1.7}, peak_mb=12.0, bar=bar, note="n"
    )


def test_bench_json_has_the_agreed_keys(tmp_path: Path) -> None:
    path = tmp_path / "build" / "bench.json"
    run.write([example(), BenchmarkRow("events", 2.3, (2.2, 2.4))], path)
    assert json.loads(path.read_text()) == [
        {
            "name": "train",
            "ratio_to_floor": 1.04,
            "iqr": [1.0, 1.1],
            "peers": {"spikingjelly": 1.25, "norse": 1.7},
            "peak_mb": 12.0,
        },
        {"name": "events", "ratio_to_floor": 2.3, "iqr": [2.2, 2.4], "peers": {}, "peak_mb": None},
    ]
    assert [child.name for child in path.parent.iterdir()] == ["bench.json"]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([example(), example()], "found twice: train"),
        (
            [BenchmarkRow("bad", float("nan"), (1.0, 2.0))],
            "ratio_to_floor must be a positive finite number; got nan",
        ),
        ([BenchmarkRow("bad", 1.0, (2.0, 1.0))], "not in order"),
        (
            [BenchmarkRow("bad", 1.0, (1.0, 2.0), {"peer": 0.0})],
            "peer must be a positive finite number; got 0.0",
        ),
    ],
)
def test_bad_rows_leave_the_file_alone(tmp_path: Path, entries: list[BenchmarkRow], message: str) -> None:
    path = tmp_path / "bench.json"
    path.write_text("before")
    with pytest.raises(ValueError, match=message):
        run.write(entries, path)
    assert path.read_text() == "before"


def test_table_names_ratios_bars_and_peers() -> None:
    console = Console(width=200, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(run.table([example(), example("slow", 1.2), example("free", 1.2, bar=None)]))
    first, second, third = [line for line in console.export_text().splitlines() if "spikingjelly" in line]
    assert "1.04" in first
    assert "1.10 kept" in first
    assert "spikingjelly 1.25 (1.2), norse 1.70 (1.6)" in first
    assert "1.10 EXCEEDED" in second
    assert "kept" not in third
    assert "EXCEEDED" not in third


@pytest.mark.slow
def test_modules_run_in_a_fresh_process_with_one_thread(tmp_path: Path) -> None:
    (tmp_path / "fake_bench.py").write_text(FAKE)
    environment = {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(run.ROOT)])}
    (entry,) = run.collect("fake_bench", environment)
    assert entry == BenchmarkRow("one", 1.5, (1.4, 1.6), {"peer": 3.0}, peak_mb=1.0, bar=2.0, note="1")


def test_failing_module_is_named_and_the_rest_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_bench.py").write_text("raise ZeroDivisionError('no floor')\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(run.ROOT)]))
    real = run.collect
    monkeypatch.setattr(run, "collect", lambda name: [example()] if name == "working" else real(name))
    output = tmp_path / "out" / "bench.json"
    done = CliRunner().invoke(run.app, ["broken_bench", "working", "--output", str(output)])
    assert done.exit_code == 1
    printed = done.output
    assert "broken_bench failed with exit code 1" in printed
    assert "ZeroDivisionError: no floor" in printed
    assert "1 of 2 benchmark modules failed" in printed
    assert "train: n" in printed
    assert [row["name"] for row in json.loads(output.read_text())] == ["train"]


def test_default_is_every_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def collect(name: str) -> list[BenchmarkRow]:
        asked.append(name)
        return [example(name)]

    monkeypatch.setattr(run, "collect", collect)
    assert CliRunner().invoke(run.app, ["--output", str(tmp_path / "bench.json")]).exit_code == 0
    assert asked == ["benchmarks.train", "benchmarks.events", "benchmarks.convert"]


def test_worker_writes_every_field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fake_bench_two.py").write_text(FAKE)
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    path = tmp_path / "rows.json"
    assert CliRunner().invoke(run.app, ["--worker", "fake_bench_two", str(path)]).exit_code == 0
    assert asked == [1]
    (row,) = json.loads(path.read_text())
    assert BenchmarkRow(**{**row, "iqr": tuple(row["iqr"])}).note == "7"
