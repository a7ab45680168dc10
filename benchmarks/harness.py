"""Fair timing on a shared machine: variants take turns within one process, and only ratios are reported.

Every round runs the floor and then each variant once; a variant's figure is the median over rounds of its
time divided by the floor's time *in the same round*, so a slow spell of the machine hits both.
"""

from __future__ import annotations

import gc
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Ratio:
    """Median of the per-round ratios to the floor, with the quartiles."""

    median: float
    low: float
    high: float


@dataclass
class BenchmarkRow:
    """One row of the benchmark table (and of ``build/bench.json``)."""

    name: str
    ratio_to_floor: float
    iqr: tuple[float, float]
    peers: dict[str, float] = field(default_factory=dict)
    peak_mb: float | None = None
    bar: float | None = None  # what the ratio should not exceed
    note: str = ""


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def compare(
    floor: Callable[[], object],
    variants: Mapping[str, Callable[[], object]],
    rounds: int = 15,
    warmup: int = 2,
) -> dict[str, Ratio]:
    """Time ``variants`` against ``floor``, interleaved; returns one :class:`Ratio` per variant."""
    for _ in range(warmup):
        floor()
        for variant in variants.values():
            variant()
    ratios: dict[str, list[float]] = {name: [] for name in variants}
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            base = seconds(floor)
            for name, variant in variants.items():
                ratios[name].append(seconds(variant) / base)
    finally:
        gc.enable()
    return {name: _summary(values) for name, values in ratios.items()}


def _summary(values: list[float]) -> Ratio:
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Ratio(median, low, high)


def peak_growth_mb(prepare: Callable[[], Callable[[], object]]) -> float:
    """Growth of the peak resident memory, in MB, while the function that ``prepare`` returns runs once.

    Runs in a forked process, so earlier peaks do not count; ``prepare`` itself is not counted.
    """
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(prepare, sender))
    process.start()
    sender.close()
    try:
        growth: float = receiver.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"the measured process ended early with exit code {process.exitcode}") from None
    process.join()
    return growth


def _measure(
    prepare: Callable[[], Callable[[], object]], sender: multiprocessing.connection.Connection
) -> None:
    function = prepare()
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    function()
    sender.send((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
