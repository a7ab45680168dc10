"""Training steps against an ANN of the same matrix products, and against other libraries (``python -m benchmarks.train``).

A step is forward, backward and fused Adam on the mean square of rates, for LIF neurons with half the potential kept
per step in the hidden and the output layer. The floor has a ReLU in place of the hidden neurons and none at the
output. Neurons are as near to one another as the libraries allow: SpikingJelly computes the same function as
:class:`snnkit.layers.LIF`, snnTorch resets one step later, Norse's box neuron halves its input and resets to 0, and
sinabs fires at most once per step.

Frames are N-MNIST recordings if ``SNNKIT_DATA`` has them, else simulated counts of the same density; the 784 inputs
are simulated, with 10 % of the pixels set.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss, one_hot

from benchmarks.harness import BenchmarkRow, compare
from snnkit import datasets
from snnkit.layers import LIF
from snnkit.sparse import EventFrames, EventLinear

STEPS, BATCH, CLASSES = 20, 64, 10
GAIN = 3.0
DENSITY, ABOVE_ONE = 0.058, 0.41  # of N-MNIST at 20 frames

Step = Callable[[], object]


def nmnist_frames(samples: int = 256) -> tuple[Tensor, str]:
    """Counts ``uint8 [samples, T, 2312]`` and a word on where they come from."""
    if datasets.available("nmnist") is not None:
        frames = torch.from_numpy(datasets.nmnist(count=samples).frames_by_count(STEPS))
        return frames.flatten(2), "N-MNIST"
    return simulated_frames(samples, 2312, DENSITY), "simulated frames of N-MNIST's density"


def simulated_frames(samples: int, pixels: int, density: float) -> Tensor:
    """Random counts of 1 and 2 at the given density, ``uint8 [samples, T, pixels]``."""
    generator = torch.Generator().manual_seed(0)
    kept = torch.rand(samples, STEPS, pixels, generator=generator) < density
    more = torch.rand(samples, STEPS, pixels, generator=generator) < ABOVE_ONE
    return (kept * (1 + more.int())).to(torch.uint8)


def gather(frames: Tensor, indices: Tensor) -> Tensor:
    """A dense batch ``float32 [T, N, pixels]``."""
    return frames[indices].transpose(0, 1).to(torch.float32, memory_format=torch.contiguous_format)


def training_step(
    parameters: list[nn.Parameter], forward: Callable[[Any], Tensor], batch: Callable[[], tuple[Any, Tensor]]
) -> Step:
    """One step of training; ``forward`` gives ``[N, classes]``."""
    optimizer = torch.optim.Adam(parameters, lr=1e-4, fused=True)

    def step() -> None:
        inputs, target = batch()
        optimizer.zero_grad()
        mse_loss(forward(inputs), target).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


class Layers:
    """The two linear layers that every variant has, with equal initial weights, large enough that neurons fire."""

    def __init__(self, inputs: int, hidden: int) -> None:
        torch.manual_seed(0)
        self.first = nn.Linear(inputs, hidden, bias=False)
        self.second = nn.Linear(hidden, CLASSES, bias=False)
        self.parameters = [*self.first.parameters(), *self.second.parameters()]
        with torch.no_grad():
            for weight in self.parameters:
                weight.mul_(GAIN)


Build = Callable[[Layers], Callable[[Tensor], Tensor]]


def ann(layers: Layers) -> Callable[[Tensor], Tensor]:
    return lambda x: layers.second(layers.first(x).relu()).mean(0)


def snnkit_lif(layers: Layers) -> Callable[[Tensor], Tensor]:
    hidden, output = LIF(), LIF()
    return lambda x: output(layers.second(hidden(layers.first(x)))).mean(0)


def spikingjelly_multi(layers: Layers) -> Callable[[Tensor], Tensor]:
    neurons = _spikingjelly("m")

    def forward(x: Tensor) -> Tensor:
        for neuron in neurons:
            neuron.reset()
        rate: Tensor = neurons[1](layers.second(neurons[0](layers.first(x)))).mean(0)
        return rate

    return forward


def spikingjelly_single(layers: Layers) -> Callable[[Tensor], Tensor]:
    neurons = _spikingjelly("s")

    def forward(x: Tensor) -> Tensor:
        for neuron in neurons:
            neuron.reset()
        return torch.stack([neurons[1](layers.second(neurons[0](layers.first(step)))) for step in x]).mean(0)

    return forward


def _spikingjelly(mode: str) -> list[Any]:
    neuron = importlib.import_module("spikingjelly.activation_based.neuron")
    surrogate = importlib.import_module("spikingjelly.activation_based.surrogate")
    return [
        neuron.LIFNode(
            2.0, decay_input=False, v_reset=None, surrogate_function=surrogate.ATan(), step_mode=mode
        )
        for _ in range(2)
    ]


def snntorch(layers: Layers) -> Callable[[Tensor], Tensor]:
    library = importlib.import_module("snntorch")
    hidden, output = library.Leaky(beta=0.5), library.Leaky(beta=0.5)

    def forward(x: Tensor) -> Tensor:
        v1, v2, spikes = hidden.init_leaky(), output.init_leaky(), []
        for step in x:
            spike, v1 = hidden(layers.first(step), v1)
            spike, v2 = output(layers.second(spike), v2)
            spikes.append(spike)
        return torch.stack(spikes).mean(0)

    return forward


def norse(layers: Layers) -> Callable[[Tensor], Tensor]:
    library = importlib.import_module("norse.torch")
    half = library.LIFBoxParameters(tau_mem_inv=torch.tensor(500.0))  # dt/tau = 0.5 at dt = 1 ms
    hidden, output = library.LIFBoxCell(half), library.LIFBoxCell(half)

    def forward(x: Tensor) -> Tensor:
        v1, v2, spikes = None, None, []
        for step in x:
            spike, v1 = hidden(layers.first(step), v1)
            spike, v2 = output(layers.second(spike), v2)
            spikes.append(spike)
        return torch.stack(spikes).mean(0)

    return forward


def sinabs(layers: Layers) -> Callable[[Tensor], Tensor]:
    library = importlib.import_module("sinabs.layers")
    single = importlib.import_module("sinabs.activation").SingleSpike
    hidden, output = (
        library.LIF(tau_mem=1 / math.log(2), spike_fn=single, norm_input=False) for _ in range(2)
    )

    def forward(x: Tensor) -> Tensor:
        hidden.reset_states()
        output.reset_states()
        batch_first = x.transpose(0, 1)
        rate: Tensor = output(layers.second(hidden(layers.first(batch_first)))).mean(1)
        return rate

    return forward


PEERS: dict[str, tuple[str, Build]] = {
    "spikingjelly": ("spikingjelly", spikingjelly_multi),
    "spikingjelly step by step": ("spikingjelly", spikingjelly_single),
    "snntorch": ("snntorch", snntorch),
    "norse": ("norse", norse),
    "sinabs": ("sinabs", sinabs),
}


def peers() -> dict[str, Build]:
    """The peers that are installed."""
    found = {}
    for name, (package, build) in PEERS.items():
        try:
            importlib.import_module(package)
        except ImportError:
            continue
        found[name] = build
    return found


def _entry(
    name: str, floor: Step, own: Step, others: dict[str, Step], bar: float, note: str, rounds: int
) -> BenchmarkRow:
    ratios = compare(floor, {"own": own, **others}, rounds=rounds)
    mine = ratios.pop("own")
    medians = {peer: ratio.median for peer, ratio in ratios.items()}
    return BenchmarkRow(name, mine.median, (mine.low, mine.high), medians, bar=bar, note=note)


def dense_entry(name: str, frames: Tensor, hidden: int, bar: float, note: str, rounds: int) -> BenchmarkRow:
    """Training steps on one fixed dense batch."""
    x = gather(frames, torch.arange(BATCH))
    target = one_hot(torch.arange(BATCH) % CLASSES, CLASSES).float()

    def step(build: Build) -> Step:
        layers = Layers(x.shape[2], hidden)
        return training_step(layers.parameters, build(layers), lambda: (x, target))

    others = {peer: step(build) for peer, build in peers().items()}
    return _entry(name, step(ann), step(snnkit_lif), others, bar, note, rounds)


def sparse_entry(frames: Tensor, origin: str, rounds: int) -> BenchmarkRow:
    """Whole iterations, a random batch assembled in each; ours from compressed rows."""
    hidden, count = 800, len(frames)
    targets = one_hot(torch.arange(count) % CLASSES, CLASSES).float()
    events = EventFrames.from_dense(frames)
    generator = torch.Generator().manual_seed(0)

    def draw() -> Tensor:
        return torch.randint(count, (BATCH,), generator=generator)

    def dense_batch() -> tuple[Tensor, Tensor]:
        indices = draw()
        return gather(frames, indices), targets[indices]

    def sparse_batch() -> tuple[Any, Tensor]:
        indices = draw()
        return events.batch(indices), targets[indices]

    def dense(build: Build) -> Step:
        layers = Layers(frames.shape[2], hidden)
        return training_step(layers.parameters, build(layers), dense_batch)

    model = nn.Sequential(
        EventLinear(frames.shape[2], hidden), LIF(), nn.Linear(hidden, CLASSES, bias=False), LIF()
    )
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(GAIN)
    own = training_step(list(model.parameters()), lambda batch: model(batch).mean(0), sparse_batch)
    others = {"snnkit dense": dense(snnkit_lif)}
    others |= {name: dense(build) for name, build in peers().items() if name == "spikingjelly"}
    note = f"floor: dense ANN with batch assembly; {origin}, density {events.density:.1%}; peers get dense frames"
    return _entry("train_2312_sparse", dense(ann), own, others, 0.60, note, rounds)


def entries(rounds: int = 15) -> list[BenchmarkRow]:
    """Return the rows ``train_2312``, ``train_784`` and ``train_2312_sparse``."""
    frames, origin = nmnist_frames()
    shape = f"T = {STEPS}, batch {BATCH}"
    return [
        dense_entry(
            "train_2312", frames, 800, 1.10, f"floor: ANN 2312-800-10, {shape}, fused Adam; {origin}", rounds
        ),
        dense_entry(
            "train_784",
            simulated_frames(BATCH, 784, 0.1),
            128,
            1.5,
            f"floor: ANN 784-128-10, {shape}, fused Adam; simulated frames",
            4 * rounds,
        ),
        sparse_entry(frames, origin, rounds),
    ]


def main() -> None:
    """Print the rows, on one thread."""
    torch.set_num_threads(1)
    for entry in entries():
        low, high = entry.iqr
        print(
            f"{entry.name}: {entry.ratio_to_floor:.2f} x floor [{low:.2f}, {high:.2f}], bar {entry.bar:.2f}"
        )
        for peer, ratio in entry.peers.items():
            print(f"    {peer}: {ratio:.2f} x floor")
        print(f"    {entry.note}")


if __name__ == "__main__":
    main()
