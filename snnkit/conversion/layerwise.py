"""Layer-by-layer runs of a converted network, each layer on the spikes that were kept from those in front.

The network is cut at its neurons into stages, and the spikes of one layer on all images are kept (one bit a
step) until the last layer that reads them is done. So the T steps of a layer run once for the measurement,
once more for each further correction and once to pass on the corrected spikes: BC is 2, BC + PC 3 runs of the
network, whatever its depth. Convolutions bound the time. Memory is N x neurons x T/8 bytes per layer that is
still read; a real-valued sum that several layers read (the stream of a pre-activation network) takes 4 bytes
a step instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, fx, nn

from snnkit.conversion._batches import Images, image_batches
from snnkit.conversion.network import SpikingNetwork
from snnkit.conversion.neuron import BinarySpikes, SpikingActivation, align
from snnkit.conversion.schedule import is_spiking, reads_shape

__all__ = ["Layer", "Run", "Stage", "make_stages"]

# --- what a value is over time ------------------------------------------------------------------------------


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


# --- the network, cut into stages ---------------------------------------------------------------------------


@dataclass
class Stage:
    """The linear nodes between cached values and the next value to cache."""

    target: fx.Node
    source: fx.Node  # where the stage's result is read: the target itself, or what feeds its neurons
    nodes: list[fx.Node]
    inputs: list[fx.Node]


def make_stages(graph: fx.Graph, neurons: dict[str, SpikingActivation]) -> list[Stage]:
    """Cut the graph at neurons, at values with several readers, and at the output."""

    def readers(node: fx.Node) -> list[fx.Node]:
        return [user for user in node.users if not reads_shape(user)]

    cuts = {n for n in graph.nodes if is_spiking(n, neurons) or n.op in ("placeholder", "output")}
    cuts |= {n for n in graph.nodes if n.op != "get_attr" and not reads_shape(n) and len(readers(n)) > 1}
    stages = []
    for target in graph.nodes:
        if target not in cuts or target.op == "placeholder":
            continue
        fed = is_spiking(target, neurons) or target.op == "output"
        source = target.all_input_nodes[0] if fed else target
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
        stages.append(Stage(target, source, ordered, [n for n in graph.nodes if n in inputs]))
    return stages


def _evaluate(interpreter: fx.Interpreter, nodes: Sequence[fx.Node], values: dict[fx.Node, Any]) -> None:
    """Run ``nodes`` in order, reading and filling ``values``."""
    interpreter.env = values
    for node in nodes:
        values[node] = interpreter.run_node(node)


class Layer:
    """One layer of neurons, the readout, or a sum that several layers read, as a correction sees it.

    Attributes:
        name: Its name, ``"logits"`` for the readout.
        neuron: Its neurons; None where there are none.
        readout: Whether it is the logits.
        steps: T.
        squared_errors: Mean of e^2 at each measurement.
    """

    def __init__(self, name: str, neuron: SpikingActivation | None, stage: Stage, run: Run) -> None:
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
        _evaluate(self._run.spiking, self._stage.nodes, values)
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
        _evaluate(run.spiking, fixed, base)
        changing = [n for n in stage.inputs if n not in static]
        for step in range(run.steps):
            values = dict(base)
            for node in changing:
                values[node] = trains[node].read(step)
            _evaluate(run.spiking, moving, values)
            yield values[stage.source]

    def _static(self) -> bool:
        trains = self._run.trains
        return all(isinstance(trains[node][0], _Static) for node in self._stage.inputs)

    def _outputs(self, index: int) -> Iterator[Tensor]:
        """What the layer sends at every step; the next step may overwrite it."""
        neuron = self.neuron
        if neuron is None:
            yield from self._currents(index)
            return
        neuron.reset_state()
        for current in self._currents(index):
            yield neuron(current)
        neuron.reset_state()

    def _average(self, index: int, keep: bool) -> Tensor:
        """Average output on batch ``index``; ``keep`` keeps what was sent for the layers that follow."""
        train: Any
        if self.neuron is None and self._static():
            average = next(self._currents(index))
            train = _Static(average)
        else:
            neuron = self.neuron
            binary = neuron is not None and isinstance(neuron.rule, BinarySpikes)
            train = _Spikes(neuron.threshold) if neuron is not None and binary else _Sequence()
            total: Tensor | None = None
            for output in self._outputs(index):
                total = output.clone() if total is None else total.add_(output)
                if keep:
                    train.append(output)
            assert total is not None
            average = total / self.steps
        if keep:
            self._run.trains.setdefault(self._stage.target, []).append(train)
        return average + self.bias

    @torch.no_grad()
    def _measure(self, keep: bool) -> Tensor:
        total: Tensor | None = None
        squared, count, images = 0.0, 0, 0
        for index in range(self._run.batches):
            error = self.target(index) - self._average(index, keep)
            total = error.sum(dim=0) if total is None else total + error.sum(dim=0)
            squared += float(error.double().square().sum())
            count += error.numel()
            images += error.shape[0]
            self._run.bar.update()
        assert total is not None
        self.squared_errors.append(squared / count)
        return total / images


class Run:
    """The values still needed, of the spiking network and of the ANN, on all calibration images."""

    def __init__(
        self, network: SpikingNetwork, images: Images, steps: int, batch_size: int, bar: Any
    ) -> None:
        self.body, self.reference, self.steps, self.bar = network.body, network.reference, steps, bar
        self.spiking = fx.Interpreter(self.body, garbage_collect_values=False)
        self.analog = fx.Interpreter(self.reference, garbage_collect_values=False)
        inputs = list(image_batches(images, batch_size))
        self.batches = len(inputs)
        self.trains: dict[fx.Node, list[_Train]] = {}
        self.exact: dict[fx.Node, list[Any]] = {}  # of the ANN, by the spiking network's node
        self.targets: list[Any] = []
        self.twin = dict(zip(self.body.graph.nodes, self.reference.graph.nodes, strict=True))
        placeholder = next(n for n in self.body.graph.nodes if n.op == "placeholder")
        self.trains[placeholder] = [_Static(batch) for batch in inputs]
        self.exact[placeholder] = list(inputs)

    @torch.no_grad()
    def aim(self, stage: Stage) -> None:
        """Compute what the ANN has at the stage's target."""
        twins = [self.twin[n] for n in stage.nodes]
        self.targets = []
        for index in range(self.batches):
            values = {self.twin[n]: self.exact[n][index] for n in stage.inputs}
            _evaluate(self.analog, twins, values)
            result = values[self.twin[stage.source]]
            if stage.target.op == "call_module" and stage.source is not stage.target:
                result = self.reference.get_submodule(str(stage.target.target))(result)
            self.targets.append(result)
        self.exact[stage.target] = self.targets

    def forget(self, done: set[fx.Node]) -> None:
        for node in done:
            self.trains.pop(node, None)
            self.exact.pop(node, None)
