"""Where a converted network loses accuracy: the exact three-way split of the error, per neuron and per layer.

For a neuron that sent N spikes in T steps, with average current z and q = clip(floor(X), 0, T) as in
:mod:`snnkit.conversion.unevenness`,

    N theta/T - ReLU(z)  =  theta (N - q)/T              unevenness: the order of the input
                          + q theta/T - clip(z, 0, theta)  quantisation: whole spikes only
                          + clip(z, 0, theta) - ReLU(z)    clipping: at most T spikes

Against the ANN's own activation a = f(z_ann) of the same neuron two terms more complete the sum (to the
rounding of the ANN's floating-point type):
``activation`` = ReLU(z) - f(z), zero for a ReLU network, and ``propagated`` = f(z) - a, from earlier layers.

Convention: z is the mean current *without* the shift that a neuron adds to it; shift and v(0) belong to the
rounding and so to quantisation.  Sums are kept in float64.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

import torch
from torch import Tensor, nn

from snnkit._validate import require_float, require_steps
from snnkit.conversion.monitor import LayerRun, ann_activations, record, record_frames, spiking_layers
from snnkit.conversion.network import SpikingNetwork
from snnkit.conversion.unevenness import Case, Verdict, classify

__all__ = [
    "ErrorSplit",
    "LayerErrors",
    "Moments",
    "even_logits",
    "measure_errors",
    "measure_frame_errors",
    "split_errors",
    "split_run",
]


@dataclass(frozen=True)
class ErrorSplit:
    """The error of each neuron's average output against ReLU of its average current, in three parts."""

    unevenness: Tensor
    quantisation: Tensor
    clipping: Tensor
    verdict: Verdict  #: case and number of extra or missing spikes

    @property
    def total(self) -> Tensor:
        return self.unevenness + self.quantisation + self.clipping


def split_errors(
    average_current: Tensor,
    count: Tensor,
    v_end: Tensor,
    *,
    threshold: float | Tensor,
    steps: int,
    tolerance: float = 0.0,
) -> ErrorSplit:
    """Split the error of neurons exactly into unevenness, quantisation and clipping.

    q comes from the count and the final potential (:func:`snnkit.conversion.unevenness.classify`), not from a
    sum of currents: rounding in that sum could move q by one and report an error that did not happen.

    Args:
        average_current: z, sum of the currents over T, any shape, floating point.
        count, v_end, threshold, steps, tolerance: as for :func:`snnkit.conversion.unevenness.classify`.

    Returns:
        :class:`ErrorSplit` in float64; ``total`` is N theta/T - ReLU(z) to rounding.

    Source: Bu et al., ICLR 2022, eqs. (9)-(13), with the unevenness term defined by the count.
    """
    require_float("average_current", average_current)
    verdict = classify(count, v_end, threshold=threshold, steps=steps, tolerance=tolerance)
    z = average_current.to(torch.float64)
    theta = torch.as_tensor(threshold, dtype=torch.float64)
    unit = theta / steps
    clipped = torch.minimum(z.clamp(min=0), theta)
    even = (count - verdict.excess) * unit
    return ErrorSplit(verdict.excess * unit, even - clipped, clipped - z.clamp(min=0), verdict)


def split_run(run: LayerRun, tolerance: float = 0.0) -> ErrorSplit:
    """:func:`split_errors` of what the neurons of one layer did in a run."""
    return split_errors(
        run.current, run.count, run.v_end, threshold=run.threshold, steps=run.steps, tolerance=tolerance
    )


# --- layer by layer, over many inputs -----------------------------------------------------------------------


@dataclass(frozen=True)
class Moments:
    """Mean (the signed bias), mean absolute value and root mean square over inputs and neurons."""

    mean: float
    mean_abs: float
    rms: float


@dataclass(frozen=True)
class LayerErrors:
    """The errors of one layer over all inputs.

    ``total`` is against ReLU of the layer's own average current; ``against_ann`` against that of the ANN.
    ``extra``, ``missing`` and ``silenced`` are shares of all neurons, as ``uneven`` is; ``silenced`` neurons
    should not have fired at all (q = 0 < N).
    """

    name: str
    steps: int
    samples: int
    neurons: int  #: per sample
    unevenness: Moments
    quantisation: Moments
    clipping: Moments
    total: Moments
    activation: Moments
    propagated: Moments
    against_ann: Moments
    relative_rmse: float  #: rms of ``against_ann`` over the rms of the ANN's activation; nan if that is 0
    uneven: float  #: P(N != q)
    extra: float  #: P(N > q)
    missing: float  #: P(N < q)
    silenced: float
    excess: dict[int, int]  #: how many neurons have N - q of each value
    cases: dict[Case, int]
    uneven_by_neuron: Tensor = field(repr=False)  #: P(N != q) over the inputs, [C, ...]
    bias_by_neuron: Tensor = field(repr=False)  #: mean of ``against_ann`` over the inputs, [C, ...]


_TERMS = ("unevenness", "quantisation", "clipping", "total", "activation", "propagated", "against_ann")


class _LayerTally:
    """Sums of one layer over batches."""

    def __init__(self) -> None:
        self.sums = {term: torch.zeros(3, dtype=torch.float64) for term in _TERMS}
        self.square_ann = 0.0
        self.samples = 0
        self.silenced = 0
        self.excess: Counter[int] = Counter()
        self.cases: Counter[Case] = Counter()
        self.uneven: Tensor | float = 0.0
        self.bias: Tensor | float = 0.0

    def add(self, run: LayerRun, activation: nn.Module, ann: Tensor, tolerance: float) -> None:
        split = split_run(run, tolerance)
        z = run.current.to(ann.dtype)
        expected = activation(z).to(torch.float64)
        target = ann.to(torch.float64)
        values = {
            "unevenness": split.unevenness,
            "quantisation": split.quantisation,
            "clipping": split.clipping,
            "total": split.total,
            "activation": z.clamp(min=0).to(torch.float64) - expected,
            "propagated": expected - target,
            "against_ann": run.average - target,
        }
        for term, value in values.items():
            self.sums[term] += torch.stack([value.sum(), value.abs().sum(), value.square().sum()])
        excess = split.verdict.excess
        self.square_ann += float(target.square().sum())
        self.samples += len(target)
        self.silenced += int(((excess > 0) & (excess == run.count)).sum())
        lowest = -run.steps
        for value, number in enumerate(torch.bincount((excess - lowest).flatten()).tolist()):
            if number:
                self.excess[value + lowest] += number
        for case, number in enumerate(torch.bincount(split.verdict.case.flatten()).tolist()):
            if number:
                self.cases[Case(case)] += number
        self.uneven = self.uneven + split.verdict.uneven.double().sum(dim=0)
        self.bias = self.bias + values["against_ann"].sum(dim=0)

    def finish(self, name: str, steps: int) -> LayerErrors:
        assert isinstance(self.uneven, Tensor)
        assert isinstance(self.bias, Tensor)
        total = sum(self.excess.values())
        moments = {
            term: Moments(float(s[0]) / total, float(s[1]) / total, (float(s[2]) / total) ** 0.5)
            for term, s in self.sums.items()
        }
        extra = sum(number for value, number in self.excess.items() if value > 0)
        missing = sum(number for value, number in self.excess.items() if value < 0)
        scale = (self.square_ann / total) ** 0.5
        return LayerErrors(
            name=name,
            steps=steps,
            samples=self.samples,
            neurons=total // self.samples,
            relative_rmse=moments["against_ann"].rms / scale if scale else float("nan"),
            uneven=(extra + missing) / total,
            extra=extra / total,
            missing=missing / total,
            silenced=self.silenced / total,
            excess=dict(sorted(self.excess.items())),
            cases=dict(sorted(self.cases.items())),
            uneven_by_neuron=self.uneven / self.samples,
            bias_by_neuron=self.bias / self.samples,
            **moments,
        )


def measure_errors(
    network: SpikingNetwork, batches: Iterable[Tensor], steps: int, *, tolerance: float = 0.0
) -> list[LayerErrors]:
    """Errors of every layer of a running network, against its own currents and against the ANN.

    ``batches`` are inputs ``[N, ...]``, at least one; ``tolerance`` is that of
    :func:`snnkit.conversion.unevenness.classify`.  The layers come in running order.

    Raises:
        ValueError: if there is no batch, ``steps`` is below 1, or a rule sent counts outside [0, steps].

    Source: Bu et al., ICLR 2022, section 4; Li et al., ICML 2021, for the propagated part.
    """
    require_steps(steps)
    return _measured(network, ((record(network, x, steps), x) for x in batches), steps, tolerance)


def measure_frame_errors(
    network: SpikingNetwork, batches: Iterable[Tensor], *, tolerance: float = 0.0
) -> list[LayerErrors]:
    """:func:`measure_errors` for frames ``[T, N, ...]``, all with one T; the ANN sees the mean frame.

    Raises:
        ValueError: if T differs; and for the reasons of :func:`measure_errors`.
    """
    waiting = iter(batches)
    first = next(waiting, None)
    steps = 1 if first is None else len(first)

    def runs() -> Iterator[tuple[dict[str, LayerRun], Tensor]]:
        for frames in [] if first is None else chain([first], waiting):
            if len(frames) != steps:
                raise ValueError(f"all batches must have {steps} time steps, as the first; got {len(frames)}")
            yield record_frames(network, frames), frames.mean(dim=0)

    return _measured(network, runs(), steps, tolerance)


def _measured(
    network: SpikingNetwork,
    runs: Iterable[tuple[dict[str, LayerRun], Tensor]],
    steps: int,
    tolerance: float,
) -> list[LayerErrors]:
    """Tallies of runs, each with the input that the ANN gets."""
    tallies = {name: _LayerTally() for name in spiking_layers(network)}
    empty = True
    for layers, x in runs:
        empty = False
        targets = ann_activations(network, x)
        for name, tally in tallies.items():
            with torch.no_grad():
                tally.add(layers[name], network.activation(name), targets[name], tolerance)
    if empty:
        raise ValueError("batches is empty; expected at least one batch of inputs")
    return [tally.finish(name, steps) for name, tally in tallies.items()]


# --- the network without unevenness -------------------------------------------------------------------------


class _AtOnce:
    """All T steps in one: from the charge v(0)/T + z + shift, send theta * q / T."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def fire(self, charge: Tensor, threshold: Tensor, output: Tensor) -> None:
        torch.floor(charge * self.steps / threshold, out=output)
        output.clamp_(0, self.steps).mul_(threshold / self.steps)

    def reset(self) -> None:
        """Nothing to forget."""


def even_logits(network: SpikingNetwork, x: Tensor, steps: int) -> Tensor:
    """Logits [N, classes] of the network without unevenness: every layer clips and rounds its average input.

    This is the ceiling for every remedy against unevenness; clipping and quantisation are left in.
    One call of a layer stands for ``steps`` steps of an even input; rules and v(0) are restored afterwards.

    Source: Deng & Gu, ICLR 2021, eq. (7), layer by layer.
    """
    require_steps(steps)
    layers = spiking_layers(network)
    kept = {name: (layer.rule, layer.initial.clone()) for name, layer in layers.items()}
    try:
        for layer in layers.values():
            layer.rule = _AtOnce(steps)
            layer.set_initial(layer.initial / steps)
        logits: Tensor = network(x, 1)
    finally:
        for name, layer in layers.items():
            layer.rule, initial = kept[name]
            layer.set_initial(initial)
        network.reset_state()
    return logits
