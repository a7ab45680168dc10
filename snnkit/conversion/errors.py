"""Where a converted network loses accuracy: the exact three-way split of the error, per neuron and per layer.

For a neuron that sent N spikes in T steps, with average current z and q = clip(floor(X), 0, T) as in
:mod:`snnkit.conversion.unevenness`,

    N theta/T - ReLU(z)  =  theta (N - q)/T              unevenness: the order of the input
                          + q theta/T - clip(z, 0, theta)  quantisation: whole spikes only
                          + clip(z, 0, theta) - ReLU(z)    clipping: at most T spikes

Against the ANN's own activation a = f(z_ann) of the same neuron two terms more complete the sum (to the rounding
of the ANN's floating-point type):
``activation`` = ReLU(z) - f(z), zero for a ReLU network, and ``propagated`` = f(z) - a, what earlier layers caused.

Convention: z is the mean current *without* the shift that a neuron adds to it; shift and v(0) belong to the rounding
and so to quantisation.  Sums are kept in float64.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from snnkit._validate import require_float, require_steps
from snnkit.conversion.network import SpikingNetwork
from snnkit.conversion.neuron import SpikingActivation, align
from snnkit.conversion.unevenness import Case, Verdict, classify


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

    q comes from the count and the final potential (:func:`snnkit.conversion.unevenness.classify`), not from a sum of
    currents: rounding in that sum could otherwise move q by one and report an error that did not happen.

    Args:
        average_current: z, sum of the currents over T, any shape, floating point.
        count: spikes N in [0, steps], same shape.
        v_end: potential v(T), same shape.
        threshold: positive number or tensor that broadcasts against z.
        steps: number of time steps T.
        tolerance: see :func:`snnkit.conversion.unevenness.classify`.

    Returns:
        :class:`ErrorSplit` in float64; ``total`` is N theta/T - ReLU(z) to rounding.

    Raises:
        TypeError: if ``average_current`` is not floating point.
        ValueError: for the reasons of :func:`snnkit.conversion.unevenness.classify`.

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


# --- a running network ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LayerRun:
    """What the neurons of one layer received and did in a run; tensors are ``[N, C, ...]``.

    ``threshold`` broadcasts against them.  ``current`` is z, the mean over the steps without the neuron's shift.
    """

    current: Tensor
    count: Tensor
    v_start: Tensor
    v_end: Tensor
    threshold: Tensor
    shift: Tensor
    steps: int

    @property
    def average(self) -> Tensor:
        """Average output N theta/T."""
        return self.count * self.threshold / self.steps

    @property
    def residual(self) -> Tensor:
        """What the balance of charge, average = z + shift - (v(T) - v(0))/T, is off by, which is rounding."""
        return self.average - (self.current + self.shift - (self.v_end - self.v_start) / self.steps)

    def from_start(self, v_start: Tensor) -> LayerRun:
        """The same spikes judged by another v(0): X, and so q, is what that potential would have given."""
        start = align(v_start, self.v_end).to(torch.float64).expand(self.v_end.shape)
        return replace(self, v_start=start, v_end=self.v_end - (self.v_start - start))

    def split(self, tolerance: float = 0.0) -> ErrorSplit:
        """:func:`split_errors` of this run."""
        return split_errors(
            self.current,
            self.count,
            self.v_end,
            threshold=self.threshold,
            steps=self.steps,
            tolerance=tolerance,
        )


def spiking_layers(network: SpikingNetwork) -> dict[str, SpikingActivation]:
    """The layers of neurons of a converted network by name, in the order in which they run.

    Args:
        network: a converted network.

    Returns:
        ``{name: layer}``.

    Raises:
        TypeError: if ``network`` is not a :class:`~snnkit.conversion.SpikingNetwork`.

    Source: none, a look-up.
    """
    if not isinstance(network, SpikingNetwork):
        raise TypeError(
            f"network must be a SpikingNetwork; got {type(network).__name__}. convert(model) makes one"
        )
    return network.neurons()


class _Counter:
    """Forward hook of one layer: adds up currents and outputs, because their buffers are used again."""

    def __init__(self) -> None:
        self.current: Tensor | None = None
        self.output: Tensor | None = None

    def __call__(self, module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        if self.current is None or self.output is None:
            self.current = inputs[0].to(torch.float64, copy=True)
            self.output = output.to(torch.float64, copy=True)
        else:
            self.current += inputs[0]
            self.output += output


@contextmanager
def _hooks(counters: dict[str, _Counter], layers: dict[str, SpikingActivation]) -> Iterator[None]:
    handles = [layers[name].register_forward_hook(counter) for name, counter in counters.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def record(network: SpikingNetwork, x: Tensor, steps: int) -> dict[str, LayerRun]:
    """Run a converted network and keep what every neuron received and sent.

    Args:
        network: a converted network with thresholds.
        x: input batch ``[N, ...]``.
        steps: number of time steps T.

    Returns:
        ``{layer name: LayerRun}`` in running order, float64.

    Raises:
        TypeError: if ``network`` is not a converted network.
        ValueError: if ``steps`` is below 1 or ``x`` does not fit.

    Source: Bu et al., ICLR 2022, eqs. (7)-(9), accumulated.
    """
    require_steps(steps)
    return _recorded(network, steps, lambda: network(x, steps))


def record_frames(network: SpikingNetwork, frames: Tensor) -> dict[str, LayerRun]:
    """:func:`record` for an input that changes from step to step.

    Args:
        network: a converted network with thresholds.
        frames: one frame for each time step, ``[T, N, ...]``.

    Returns:
        ``{layer name: LayerRun}`` in running order, float64.

    Raises:
        TypeError: if ``network`` is not a converted network or ``frames`` not floating point.
        ValueError: if ``frames`` does not fit, see :meth:`SpikingNetwork.play`.

    Source: Bu et al., ICLR 2022, eqs. (7)-(9), accumulated.
    """
    return _recorded(network, len(frames), lambda: network.play(frames))


def _recorded(network: SpikingNetwork, steps: int, run: Callable[[], Tensor]) -> dict[str, LayerRun]:
    layers = spiking_layers(network)
    counters = {name: _Counter() for name in layers}
    with _hooks(counters, layers):
        run()
    return {name: _finish(counters[name], layer, steps) for name, layer in layers.items()}


def _finish(counter: _Counter, layer: SpikingActivation, steps: int) -> LayerRun:
    assert counter.current is not None
    assert counter.output is not None
    assert layer.v is not None
    threshold, shift, start = (
        align(value, counter.current).to(torch.float64)
        for value in (layer.threshold, layer.shift, layer.initial)
    )
    return LayerRun(
        current=counter.current / steps,
        count=(counter.output / threshold).round_(),
        v_start=start.expand(counter.current.shape),
        v_end=layer.v.to(torch.float64),
        threshold=threshold,
        shift=shift,
        steps=steps,
    )


@dataclass(frozen=True)
class Moments:
    """Mean (the signed bias), mean absolute value and root mean square of a quantity over inputs and neurons."""

    mean: float
    mean_abs: float
    rms: float


@dataclass(frozen=True)
class LayerErrors:
    """The errors of one layer over all inputs.

    ``total`` is against ReLU of the layer's own average current; ``against_ann`` against the ANN's activation.
    ``extra``, ``missing`` and ``silenced`` are shares of all neurons, as ``uneven`` is; ``silenced`` neurons should
    not have fired at all (q = 0 < N).
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
        split = run.split(tolerance)
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

    Args:
        network: a converted network with thresholds.
        batches: input batches ``[N, ...]``, at least one.
        steps: number of time steps T.
        tolerance: see :func:`snnkit.conversion.unevenness.classify`.

    Returns:
        One :class:`LayerErrors` per layer of neurons, in running order.

    Raises:
        TypeError: if ``network`` is not a converted network.
        ValueError: if there is no batch, ``steps`` is below 1, or a firing rule sent counts outside [0, steps].

    Source: Bu et al., ICLR 2022, section 4; Li et al., ICML 2021, for the propagated part.
    """
    require_steps(steps)
    return _measured(network, ((record(network, x, steps), x) for x in batches), steps, tolerance)


def measure_frame_errors(
    network: SpikingNetwork, batches: Iterable[Tensor], *, tolerance: float = 0.0
) -> list[LayerErrors]:
    """:func:`measure_errors` for an input that changes from step to step; the ANN sees the mean frame.

    Args:
        network: a converted network with thresholds.
        batches: frames ``[T, N, ...]``, at least one batch, all with the same T.
        tolerance: see :func:`snnkit.conversion.unevenness.classify`.

    Returns:
        One :class:`LayerErrors` per layer of neurons, in running order.

    Raises:
        TypeError: if ``network`` is not a converted network.
        ValueError: if there is no batch, T differs, or ``frames`` does not fit.

    Source: as for :func:`measure_errors`.
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


def ann_activations(network: SpikingNetwork, x: Tensor) -> dict[str, Tensor]:
    """What the ANN's activations put out where the network has neurons.

    Args:
        network: a converted network.
        x: input batch ``[N, ...]``.

    Returns:
        ``{layer name: activation}``, each the ANN's output at that layer.

    Raises:
        TypeError: if ``network`` is not a converted network.

    Source: none, a look-up by forward hooks.
    """
    outputs: dict[str, Tensor] = {}
    handles = []
    for name in spiking_layers(network):

        def keep(module: nn.Module, inputs: tuple[Any, ...], output: Tensor, name: str = name) -> None:
            outputs[name] = output.detach().clone()

        handles.append(network.activation(name).register_forward_hook(keep))
    try:
        network.analog(x)
    finally:
        for handle in handles:
            handle.remove()
    return outputs


@contextmanager
def firing_at_once(network: SpikingNetwork, steps: int) -> Iterator[None]:
    """Within the block one call of a layer of neurons stands for ``steps`` steps of an even input.

    Args:
        network: a converted network; rules and v(0) are restored afterwards.
        steps: the number of time steps T that one step imitates.

    Raises:
        ValueError: if ``steps`` is below 1.

    Source: Deng & Gu, ICLR 2021, eq. (7).
    """
    require_steps(steps)
    layers = spiking_layers(network)
    kept = {name: (layer.rule, layer.initial.clone()) for name, layer in layers.items()}
    try:
        for layer in layers.values():
            layer.rule = _AtOnce(steps)
            layer.set_initial(layer.initial / steps)
            layer.reset_state()
        yield
    finally:
        for name, layer in layers.items():
            layer.rule, initial = kept[name]
            layer.set_initial(initial)
            layer.reset_state()


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
    """Logits of the network without unevenness: every layer clips and rounds its average input.

    This is the ceiling for every remedy against unevenness; clipping and quantisation are left in.

    Args:
        network: a converted network with thresholds.
        x: input batch ``[N, ...]``.
        steps: number of time steps T.

    Returns:
        Logits ``[N, classes]``.

    Raises:
        ValueError: if ``steps`` is below 1 or ``x`` does not fit.

    Source: Deng & Gu, ICLR 2021, eq. (7), layer by layer.
    """
    with firing_at_once(network, steps):
        logits: Tensor = network(x, 1)
    return logits


def depth(network: SpikingNetwork) -> int:
    """Number of layers of neurons on the longest way from the input to the logits.

    Args:
        network: a converted network.

    Returns:
        The depth, at least 1.

    Raises:
        TypeError: if ``network`` is not a converted network.

    Source: none, longest path in the traced graph.
    """
    layers = spiking_layers(network)
    longest: dict[Any, int] = {}
    for node in network.body.graph.nodes:
        before = max((longest[source] for source in node.all_input_nodes), default=0)
        longest[node] = before + (node.op == "call_module" and node.target in layers)
    return max(longest.values())
