"""Inference of a converted network against the ANN run T times and SpikingJelly (``python -m benchmarks.convert``).

conv 32-32-pool-64-64-pool-linear on 3 x 32 x 32 images, T = 32, maximum thresholds, fresh weights (the time of a dense
convolution does not depend on their values). The floor is T forward passes of the ANN in plain NCHW.
Peak memory is the growth of the resident set during one run of a batch.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.harness import BenchmarkRow, compare, peak_growth_mb
from snnkit.conversion import (
    BiasCorrection,
    Floor,
    Maximum,
    PotentialCorrection,
    calibrate,
    convert,
    set_thresholds,
)

STEPS = 32
BARS = {1: 0.70, 16: 0.90, 64: 0.90}
ROUNDS = {1: 40, 16: 12, 64: 7}
FASTER_THAN_SPIKINGJELLY = 2.3


def network() -> nn.Sequential:
    """The ANN with seeded fresh weights."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(64, 64, 3, padding=1),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * 8 * 8, 10),
    ).eval()


def ann(model: nn.Module, x: Tensor) -> Callable[[], object]:
    def run() -> None:
        with torch.no_grad():
            for _ in range(STEPS):
                model(x)

    return run


def ours(model: nn.Module, images: Tensor, x: Tensor) -> Callable[[], object]:
    converted = convert(model)
    set_thresholds(converted, images, Maximum(), Floor(), progress=False)
    return lambda: converted(x, STEPS)


def spikingjelly(model: nn.Module, images: Tensor, x: Tensor) -> Callable[[], object]:
    """SpikingJelly's converter with its maximum recipe, stepped as its tutorial does."""
    from spikingjelly.activation_based import ann2snn, functional

    loader = [(images, torch.zeros(len(images), dtype=torch.long))]
    recipe = ann2snn.RateCodingRecipe(loader, mode="max")
    converted = ann2snn.FXConverter(recipe).convert(copy.deepcopy(model))
    converted.eval()

    def run() -> Tensor:
        functional.reset_net(converted)
        with torch.no_grad():
            total = converted(x)
            for _ in range(STEPS - 1):
                total = total + converted(x)
        return total / STEPS

    return run


def entries() -> list[BenchmarkRow]:
    """The rows ``convert_b1``, ``convert_b16`` and ``convert_b64``."""
    model = network()
    images = torch.rand(64, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    rows = []
    # memory first: what earlier runs have freed would be used again and hide growth
    growth = {
        size: [
            peak_growth_mb(lambda make=make, size=size: make(model, images[:8], images[:size].clone()))
            for make in (ours, spikingjelly)
        ]
        for size in BARS
    }
    for size, bar in BARS.items():
        x = images[:size].clone()
        variants = {"snnkit": ours(model, images, x), "SpikingJelly": spikingjelly(model, images, x)}
        times = compare(ann(model, x), variants, rounds=ROUNDS[size])
        memory = dict(zip(variants, growth[size], strict=True))
        own, peer = times["snnkit"], times["SpikingJelly"]
        rows.append(
            BenchmarkRow(
                f"convert_b{size}",
                own.median,
                (own.low, own.high),
                {"SpikingJelly": peer.median},
                memory["snnkit"],
                bar,
                f"floor: the ANN {STEPS} times in NCHW; {peer.median / own.median:.2f} times faster than SpikingJelly "
                f"(bar {FASTER_THAN_SPIKINGJELLY}); peak memory {memory['snnkit']:.0f} MB, "
                f"SpikingJelly {memory['SpikingJelly']:.0f} MB",
            )
        )
    return rows


def calibration_speed(images: int = 1024, steps: int = STEPS) -> tuple[float, float]:
    """Images per second of BC + PC on a ResNet-20, and the same for T plain forward passes of the ANN.

    Weights are fresh, images random: the time of the dense convolutions does not depend on either.
    """
    import time

    from snnkit.models import resnet20

    x = torch.rand(images, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    model = resnet20().eval()
    converted = convert(model)
    set_thresholds(converted, x[:64], Maximum(), Floor(), progress=False)
    start = time.perf_counter()
    with torch.no_grad():
        for part in x[:64].split(64):
            for _ in range(steps):
                model(part)
    floor = 64 / (time.perf_counter() - start)
    start = time.perf_counter()
    calibrate(converted, x, steps, BiasCorrection(), PotentialCorrection())
    return images / (time.perf_counter() - start), floor


def main() -> None:
    """Print the rows and the speed of calibration."""
    torch.set_num_threads(1)
    for row in entries():
        low, high = row.iqr
        print(f"{row.name}: {row.ratio_to_floor:.2f} ({low:.2f} to {high:.2f}), bar {row.bar}; {row.note}")
    own, floor = calibration_speed()
    print(
        f"calibration of ResNet-20, 1,024 images, T = {STEPS}, BC + PC: {own:.1f} images/s; "
        f"T forward passes of the ANN: {floor:.1f} images/s"
    )


if __name__ == "__main__":
    main()
