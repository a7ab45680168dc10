"""Calibration of a converted network: bias, potential and weight correction, layer after layer.

At layer l let x be the ANN's activation and phi the average output of the spiking layer over T steps, both on the
calibration images, and e = x - phi. The layers in front have been corrected before e is measured.

* bias correction:      b_c  <- b_c + mean of e over batch and space
* potential correction: v(0) <- T times the mean of e over the batch, per neuron, measured from v(0) = 0
* weight calibration:   minimise ||x - ClipFloor(W phi_before + b)||^2, straight-through floor, no unrolling in time

The bias is added to the current of every step (``SpikingActivation.shift``): the same as a bias of the convolution,
and it also works where several branches are added in front of the neurons.

Cost: the network is cut at its neurons, and the spikes of one layer on all images are kept (one bit a step) until
the last layer that reads them is done. So the T steps of a layer run once for the measurement, once more for
each further correction and once to pass on the corrected spikes: BC is 2, BC + PC 3 runs of the network, whatever
its depth. Convolutions bound the time. Memory is N x neurons x T/8 bytes per layer that is still read; a
real-valued sum that several layers read (the stream of a pre-activation network) takes 4 bytes a step instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, fx, nn
from tqdm import tqdm

from snnkit._validate import require_positive, require_steps
from snnkit.conversion._batches import Images, image_batches
from snnkit.conversion.network import SpikingNetwork
from snnkit.conversion.neuron import BinarySpikes, SpikingActivation, align
from snnkit.conversion.schedule import reads_shape

# --- what a value is over time ----------------------------------------------------------------------------------


class _Train(Protocol):
    """A value at every time step."""

    def read(self, step: int) -> Any: ...

    def average(self) -> Any: ...


@dataclass
class _Static:
    """The same at every step."""

    value: Any

    def read(self, step: int) -> Any:
        return self.value

    def average(self) -> Any:
        return self.value


@dataclass
class _Sequence:
    """A real value per step."""

    values: list[Tensor] = field(default_factory=list)

    def append(self, value: Tensor) -> None:
        self.values.append(value.clone())

    def read(self, step: int) -> Tensor:
        return self.values[step]

    def average(self) -> Tensor:
        return torch.stack(self.values).mean(dim=0)


@dataclass
class _Spikes:
    """Binary spikes of height ``threshold``, eight steps to a byte."""

    threshold: Tensor
    words: list[Tensor] = field(default_factory=list)
    total: Tensor | None = None
    steps: int = 0

    def append(self, output: Tensor) -> None:
        place = self.steps % 8
        spikes = (output != 0).to(torch.uint8)
        if place == 0:
            self.words.append(spikes)
        else:
            self.words[-1].add_(spikes, alpha=1 << place)
        self.steps += 1

    def read(self, step: int) -> Tensor:
        bit = self.words[step // 8].bitwise_right_shift(step % 8).bitwise_and_(1)
        return bit.float().mul_(align(self.threshold, bit))

    def average(self) -> Tensor:
        total = self.read(0)
        for step in range(1, self.steps):
            total.add_(self.read(step))
        return total.div_(self.steps)


# --- the network, cut into stages -------------------------------------------------------------------------------


@dataclass
class _Stage:
    """The linear nodes between cached values and the next value to cache."""

    target: fx.Node
    source: fx.Node  # where the stage's result is read: the target itself, or what feeds its neurons
    nodes: list[fx.Node]
    inputs: list[fx.Node]


def _stages(graph: fx.Graph, neurons: dict[str, SpikingActivation]) -> list[_Stage]:
    """Cut the graph at neurons, at values with several readers, and at the output."""

    def readers(node: fx.Node) -> list[fx.Node]:
        return [user for user in node.users if not reads_shape(user)]

    def spiking(node: fx.Node) -> bool:
        return node.op == "call_module" and node.target in neurons

    cuts = {n for n in graph.nodes if spiking(n) or n.op in ("placeholder", "output")}
    cuts |= {n for n in graph.nodes if n.op != "get_attr" and not reads_shape(n) and len(readers(n)) > 1}
    stages = []
    for target in graph.nodes:
        if target not in cuts or target.op == "placeholder":
            continue
        source = target.all_input_nodes[0] if spiking(target) or target.op == "output" else target
        nodes: set[fx.Node] = set()
        inputs: set[fx.Node] = set()
        pending = [source]
        while pending:
            node = pending.pop()
            if node in cuts and node is not target:
                inputs.add(node)
            elif node not in nodes:
                nodes.add(node)
                pending.extend(node.all_input_nodes)
        ordered = [n for n in graph.nodes if n in nodes]
        stages.append(_Stage(target, source, ordered, [n for n in graph.nodes if n in inputs]))
    return stages


def _evaluate(nodes: Sequence[fx.Node], body: fx.GraphModule, values: dict[fx.Node, Any]) -> None:
    """Run ``nodes`` in order, reading and filling ``values``."""
    for node in nodes:
        args, kwargs = fx.node.map_arg((node.args, node.kwargs), values.__getitem__)
        if node.op == "call_module":
            values[node] = body.get_submodule(str(node.target))(*args, **kwargs)
        elif node.op == "call_function":
            assert callable(node.target)
            values[node] = node.target(*args, **kwargs)
        elif node.op == "call_method":
            values[node] = getattr(args[0], str(node.target))(*args[1:], **kwargs)
        else:  # get_attr
            value: Any = body
            for part in str(node.target).split("."):
                value = getattr(value, part)
            values[node] = value


class Layer:
    """One layer of neurons, the readout, or a sum that several layers read, as a correction sees it.

    Attributes:
        name: Its name, ``"logits"`` for the readout.
        neuron: Its neurons; None where there are none.
        readout: Whether it is the logits.
        steps: T.
        squared_errors: Mean of e^2 at each measurement.
    """

    def __init__(self, name: str, neuron: SpikingActivation | None, stage: _Stage, run: _Run) -> None:
        self.name, self.neuron, self.steps = name, neuron, run.steps
        self.readout = stage.target.op == "output"
        self.squared_errors: list[float] = []
        self.bias = torch.tensor(0.0)  # of the readout; neurons have their shift
        self._stage, self._run = stage, run
        self._mean_error: Tensor | None = None

    def mean_error(self) -> Tensor:
        """Mean over the images of e = x - phi, per neuron [C, ...]; measured anew only after a change."""
        if self._mean_error is None:
            self._mean_error = self._measure(keep=False)
        return self._mean_error

    def add_bias(self, bias: Tensor) -> None:
        """Add one value per channel [C] to the current of every step (or to the mean logits)."""
        if self.neuron is None:
            self.bias = self.bias + bias
        else:
            shift = self.neuron.shift
            self.neuron.set_shift(shift + bias.view(-1, *[1] * max(0, shift.dim() - 1)))
        self._mean_error = None

    def set_initial(self, initial: float | Tensor) -> None:
        """Overwrite v(0) of the neurons."""
        assert self.neuron is not None
        value = torch.as_tensor(initial, dtype=self.neuron.initial.dtype)
        if value.shape != self.neuron.initial.shape or not bool((value == self.neuron.initial).all()):
            self.neuron.set_initial(value)
            self._mean_error = None

    def finish(self) -> None:
        """Run once more, as corrected, and keep the spikes for the layers that follow."""
        self._measure(keep=not self.readout)

    def parameters(self) -> list[nn.Parameter]:
        """Weights and biases between the neurons in front and these."""
        run = self._run
        modules = [run.body.get_submodule(str(n.target)) for n in self._stage.nodes if n.op == "call_module"]
        unique = {id(p): p for module in modules for p in module.parameters()}
        return list(unique.values())

    def weights_changed(self) -> None:
        self._mean_error = None

    def average_inputs(self) -> list[dict[fx.Node, Any]]:
        """Average over time of what feeds the layer, one dictionary per batch."""
        run = self._run
        return [
            {node: run.trains[node][index].average() for node in self._stage.inputs}
            for index in range(run.batches)
        ]

    def respond(self, inputs: dict[fx.Node, Any]) -> Tensor:
        """Average output under average inputs in closed form; the floor passes gradients straight through."""
        values = dict(inputs)
        _evaluate(self._stage.nodes, self._run.body, values)
        current: Tensor = values[self._stage.source]
        neuron = self.neuron
        if neuron is None:
            return current + self.bias
        theta = align(neuron.threshold, current)
        charge = (current + align(neuron.shift, current)) * self.steps + align(neuron.initial, current)
        levels = charge / theta
        levels = levels + (levels.floor() - levels).detach()
        return levels.clamp(0, self.steps) * (theta / self.steps)

    def target(self, index: int) -> Tensor:
        """The ANN's activation on batch ``index``, [n, C, ...]."""
        result: Tensor = self._run.targets[index]
        return result

    # -- running the T steps

    def _currents(self, index: int) -> Iterator[Tensor]:
        """The stage's result at every step; nodes that no spike reaches are run once."""
        run, stage = self._run, self._stage
        trains = {node: run.trains[node][index] for node in stage.inputs}
        static = {n for n, train in trains.items() if isinstance(train, _Static)}
        fixed, moving = [], []
        for node in stage.nodes:
            if all(n in static for n in node.all_input_nodes):
                static.add(node)
                fixed.append(node)
            else:
                moving.append(node)
        base: dict[fx.Node, Any] = {n: trains[n].read(0) for n in static if n in trains}
        _evaluate(fixed, run.body, base)
        changing = [n for n in stage.inputs if n not in static]
        for step in range(run.steps):
            values = dict(base)
            for node in changing:
                values[node] = trains[node].read(step)
            _evaluate(moving, run.body, values)
            yield values[stage.source]

    def _static(self) -> bool:
        trains = self._run.trains
        return all(isinstance(trains[node][0], _Static) for node in self._stage.inputs)

    @torch.no_grad()
    def _measure(self, keep: bool) -> Tensor:
        run, neuron, node = self._run, self.neuron, self._stage.target
        total: Tensor | None = None
        squared, count, images = 0.0, 0, 0
        for index in range(run.batches):
            if neuron is None and self._static():
                value = next(self._currents(index))
                train: Any = _Static(value)
                average = value + self.bias
            else:
                packed = neuron is not None and isinstance(neuron.rule, BinarySpikes)
                train = _Spikes(neuron.threshold) if packed and neuron is not None else _Sequence()
                summed: Tensor | None = None
                if neuron is not None:
                    neuron.reset_state()
                for current in self._currents(index):
                    output = current if neuron is None else neuron(current)
                    summed = output.clone() if summed is None else summed.add_(output)
                    if keep:
                        train.append(output)
                if neuron is not None:
                    neuron.reset_state()
                assert summed is not None
                average = summed / run.steps + self.bias
            if keep:
                run.trains.setdefault(node, []).append(train)
            error = self.target(index) - average
            total = error.sum(dim=0) if total is None else total + error.sum(dim=0)
            squared += float(error.double().square().sum())
            count += error.numel()
            images += error.shape[0]
            run.advance()
        assert total is not None
        self.squared_errors.append(squared / count)
        return total / images


def _graph_nodes(body: fx.GraphModule) -> list[fx.Node]:
    return list(body.graph.nodes)


class _Run:
    """The values still needed, of the spiking network and of the ANN, on all calibration images."""

    def __init__(
        self, network: SpikingNetwork, images: Images, steps: int, batch_size: int, bar: Any
    ) -> None:
        self.body, self.reference, self.steps, self.bar = network.body, network.reference, steps, bar
        inputs = list(image_batches(images, batch_size))
        self.batches = len(inputs)
        self.trains: dict[fx.Node, list[_Train]] = {}
        self.exact: dict[fx.Node, list[Any]] = {}  # of the ANN, by the spiking network's node
        self.targets: list[Any] = []
        self.twin = dict(zip(_graph_nodes(self.body), _graph_nodes(self.reference), strict=True))
        placeholder = next(n for n in self.body.graph.nodes if n.op == "placeholder")
        self.trains[placeholder] = [_Static(batch) for batch in inputs]
        self.exact[placeholder] = list(inputs)

    def advance(self) -> None:
        self.bar.update()

    @torch.no_grad()
    def aim(self, stage: _Stage) -> None:
        """Compute what the ANN has at the stage's target."""
        twins = [self.twin[n] for n in stage.nodes]
        self.targets = []
        for index in range(self.batches):
            values = {self.twin[n]: self.exact[n][index] for n in stage.inputs}
            _evaluate(twins, self.reference, values)
            result = values[self.twin[stage.source]]
            if stage.target.op == "call_module" and stage.source is not stage.target:
                result = self.reference.get_submodule(str(stage.target.target))(result)
            self.targets.append(result)
        self.exact[stage.target] = self.targets

    def forget(self, done: set[fx.Node]) -> None:
        for node in done:
            self.trains.pop(node, None)
            self.exact.pop(node, None)


# --- corrections ------------------------------------------------------------------------------------------------


class Correction(Protocol):
    """Changes one layer so that its average output comes closer to the ANN's activation."""

    def correct(self, layer: Layer) -> None: ...


@dataclass(frozen=True)
class BiasCorrection:
    """Add the mean error over batch and space to the bias of each channel.

    Source: Li et al., ICML 2021, section 4.2 (light pipeline).
    """

    def correct(self, layer: Layer) -> None:
        """Correct neurons and logits; a sum in between is corrected at the neurons that read it."""
        if layer.neuron is None and not layer.readout:
            return
        error = layer.mean_error()
        layer.add_bias(error.flatten(1).mean(dim=1) if error.dim() > 1 else error)


@dataclass(frozen=True)
class PotentialCorrection:
    """Set v(0) to T times the mean error over the batch, one value per neuron.

    v(0) enters the average output as v(0)/T, hence the factor.
    The error is measured from v(0) = 0, so that overwriting does not lose what an earlier v(0) had put right.

    Source: Li et al., ICML 2021, section 4.2.
    """

    def correct(self, layer: Layer) -> None:
        """Correct neurons; logits have no potential."""
        if layer.neuron is not None:
            layer.set_initial(0.0)
            layer.set_initial(layer.mean_error() * layer.steps)


@dataclass(frozen=True)
class WeightCalibration:
    """Fit the weights in front of a layer to the ANN's activation, with the average spikes as input.

    The response is the clip-floor staircase with the layer's own shift and v(0); its floor passes gradients straight
    through, without which they would be 0. Nothing is unrolled in time.

    Args:
        iterations: Adam steps per layer, one calibration batch each.
        learning_rate: At the start; it falls to 0 along a cosine.
        seed: Order of the batches.

    Source: Li et al., ICML 2021, section 4.3 (advanced pipeline).
    """

    iterations: int = 300
    learning_rate: float = 1e-4
    seed: int = 0

    def __post_init__(self) -> None:
        require_steps(self.iterations, "iterations")
        require_positive("learning_rate", self.learning_rate)

    def correct(self, layer: Layer) -> None:
        """Calibrate weights of neurons, sums and logits alike."""
        parameters = layer.parameters()
        if not parameters:
            return
        inputs = layer.average_inputs()
        generator = torch.Generator().manual_seed(self.seed)
        order = torch.cat(
            [
                torch.randperm(len(inputs), generator=generator)
                for _ in range(math.ceil(self.iterations / len(inputs)))
            ]
        )[: self.iterations].tolist()
        optimiser = torch.optim.Adam(parameters, lr=self.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, self.iterations)
        try:
            for parameter in parameters:
                parameter.requires_grad_(True)
            with torch.enable_grad():
                for index in order:
                    optimiser.zero_grad()
                    loss = (layer.respond(inputs[index]) - layer.target(index)).square().mean()
                    loss.backward()  # type: ignore[no-untyped-call]
                    optimiser.step()
                    schedule.step()
        finally:
            for parameter in parameters:
                parameter.requires_grad_(False)
                parameter.grad = None
        layer.weights_changed()


@dataclass(frozen=True)
class LayerReport:
    """Mean squared error of one layer before and after its own corrections (those in front are done in both)."""

    layer: str
    before: float
    after: float


def calibrate(
    network: SpikingNetwork,
    images: Images,
    steps: int,
    *corrections: Correction,
    batch_size: int = 64,
    progress: bool = True,
) -> list[LayerReport]:
    """Correct a converted network in place, layer after layer, each measured after those in front are corrected.

    Args:
        network: A converted network whose thresholds are set.
        images: Calibration images [N, ...], or batches of them.
        steps: T of the later run; the corrections fit this T.
        corrections: :class:`BiasCorrection`, :class:`PotentialCorrection`, :class:`WeightCalibration`, applied to
            each layer in this order.
        batch_size: Images at a time.
        progress: Show a progress bar.

    Returns:
        The squared error of each layer before and after, ``"logits"`` last.

    Raises:
        ValueError: If there are no images or no corrections, or ``steps`` is below 1.
        RuntimeError: If a threshold is not set.

    Source: Li et al., ICML 2021, section 4.
    """
    require_steps(steps)
    if not corrections:
        raise ValueError("no correction given; expected at least one, such as BiasCorrection()")
    neurons = network.neurons()
    for name, neuron in neurons.items():
        if not neuron.is_set:
            raise RuntimeError(f"layer '{name}' has no threshold yet; call set_thresholds before calibrate")
    network.reset_state()
    stages = _stages(network.body.graph, neurons)
    last_reader = {node: position for position, stage in enumerate(stages) for node in stage.inputs}
    reports = []
    with tqdm(desc="calibration", unit="batch", disable=not progress) as bar:
        run = _Run(network, images, steps, batch_size, bar)
        for position, stage in enumerate(stages):
            name = "logits" if stage.target.op == "output" else str(stage.target.target)
            layer = Layer(name, neurons.get(name), stage, run)
            run.aim(stage)
            counts = layer.readout or layer.neuron is not None
            if counts:
                bar.set_postfix_str(name)
                layer.mean_error()
            for correction in corrections:
                correction.correct(layer)
            layer.finish()
            if layer.readout:
                network.readout_bias = network.readout_bias + layer.bias
            if counts:
                reports.append(LayerReport(name, layer.squared_errors[0], layer.squared_errors[-1]))
            run.forget({node for node, reader in last_reader.items() if reader == position})
    return reports
