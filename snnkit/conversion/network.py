"""The converted network, its running and its summary."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, fx, nn

from snnkit._validate import require_finite, require_float, require_steps
from snnkit.conversion.folding import Affine
from snnkit.conversion.neuron import SpikingActivation, describe
from snnkit.conversion.schedule import Schedule, make_schedule

__all__ = ["SpikingNetwork"]


class SpikingNetwork(nn.Module):
    """Neurons at every activation of a traced ANN, the image as a constant current, logits averaged over T.

    What only the image decides (the first convolution) is computed once per run, and so is what follows the
    last neurons, from their average output.
    State is updated in place; images and weights are kept channels-last.

    Attributes:
        body: The traced graph with :class:`SpikingActivation` modules.
        reference: The same graph with the ANN's activations; calibration measures against it.
        readout_bias: Added to the mean logits, [classes] or a number; 0 unless calibrated.

    Source: Diehl et al., IJCNN 2015; Bu et al., ICLR 2022, section 3.
    """

    readout_bias: Tensor

    def __init__(self, body: fx.GraphModule, reference: fx.GraphModule) -> None:
        super().__init__()
        self.body = body
        self.reference = reference
        self.register_buffer("readout_bias", torch.tensor(0.0))
        self._schedule: Schedule | None = None
        self._constants: tuple[Any, ...] = ()
        self._started = False
        self.requires_grad_(False)
        self.eval()

    # -- looking at it

    def neurons(self) -> dict[str, SpikingActivation]:
        """The layers of neurons by name, in the order in which they run."""
        names = [str(node.target) for node in self.body.graph.nodes if node.op == "call_module"]
        modules = {name: self.body.get_submodule(name) for name in names}
        return {name: m for name, m in modules.items() if isinstance(m, SpikingActivation)}

    def with_thresholds(self) -> dict[str, SpikingActivation]:
        """:meth:`neurons`, or a RuntimeError that names the first layer without a threshold."""
        neurons = self.neurons()
        for name, neuron in neurons.items():
            if not neuron.is_set:
                raise RuntimeError(
                    f"layer '{name}' has no threshold yet; "
                    "call set_thresholds(network, images, Maximum()) first"
                )
        return neurons

    def activation(self, name: str) -> nn.Module:
        """The ANN's activation at the layer ``name``."""
        return self.reference.get_submodule(name)

    def summary(self) -> str:
        """A table of the layers of neurons: what feeds each, its threshold, shift and initial potential."""
        head = ("layer", "fed by", "threshold", "shift", "v(0)")
        rows = [head]
        for node in self.body.graph.nodes:
            neuron = self.body.get_submodule(str(node.target)) if node.op == "call_module" else None
            if isinstance(neuron, SpikingActivation):
                threshold = describe(neuron.threshold) if neuron.is_set else "not set"
                fed = _fed_by(node, self.body)
                rows.append(
                    (str(node.target), fed, threshold, describe(neuron.shift), describe(neuron.initial))
                )
            elif node.op == "output":
                rows.append(("logits", _fed_by(node, self.body), "no neurons: mean over T", "", ""))
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
        ]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join(line.rstrip() for line in lines)

    def __repr__(self) -> str:
        return f"SpikingNetwork with {len(self.neurons())} layers of neurons\n{self.summary()}"

    # -- running it

    def analog(self, x: Tensor) -> Tensor:
        """Logits [N, classes] of the folded ANN that this network was made from."""
        with torch.no_grad():
            result: Tensor = self.reference(_channels_last(x))
            return result

    def reset_state(self) -> None:
        """Forget every potential and the constants of the last image."""
        for neuron in self.neurons().values():
            neuron.reset_state()
        self._constants, self._started = (), False

    def start(self, x: Tensor) -> None:
        """Reset and take up the images [N, ...]: what only they decide is computed here, once.

        Raises:
            TypeError: If ``x`` is not floating point.
            ValueError: If ``x`` holds NaN or infinity, or is empty.
            RuntimeError: If a threshold is not set.
        """
        require_float("x", x)
        if x.dim() < 2 or x.shape[0] == 0:
            raise ValueError(f"x must have shape [N, ...] with N at least 1; got {list(x.shape)}")
        require_finite("x", x)
        neurons = self.with_thresholds()
        self.reset_state()
        if self._schedule is None:
            self._schedule = make_schedule(self.body, neurons)
        with torch.no_grad():
            self._constants, self._started = self._schedule.constant(_channels_last(x)), True

    def step(self) -> Tensor:
        """One time step after :meth:`start`: the logits [N, classes] of this step alone."""
        return self._logits(next(self._outputs(1, 1)), 1)

    def _outputs(self, steps: int, time_chunk: int) -> Iterator[tuple[Any, ...]]:
        """What the last part reads, at each of the next ``steps`` time steps."""
        if self._schedule is None or not self._started:
            raise RuntimeError("call start(x) before taking steps")
        constants = self._constants[: self._schedule.split]
        folded = self._schedule.chunk if time_chunk > 1 else None
        with torch.no_grad():
            if folded is None:
                for _ in range(steps):
                    yield self._schedule.step(*constants)
            else:
                for done in range(0, steps, time_chunk):
                    size = min(time_chunk, steps - done)
                    yield from zip(*(value.chunk(size) for value in folded(*constants, size)), strict=True)

    def _logits(self, totals: tuple[Any, ...], steps: int) -> Tensor:
        assert self._schedule is not None
        with torch.no_grad():
            averages = [_scaled(total, steps) for total in totals]
            logits: Tensor = self._schedule.last(*averages, *self._constants[self._schedule.split :])
        return logits

    def _totals(self, x: Tensor, steps: int, time_chunk: int | None) -> Iterator[tuple[Any, ...]]:
        require_steps(steps)
        if time_chunk is not None:
            require_steps(time_chunk, "time_chunk")
        self.start(x)
        chunk = time_chunk if time_chunk is not None else max(1, 8 // x.shape[0])
        totals: tuple[Any, ...] = ()
        for outputs in self._outputs(steps, chunk):
            if not totals:
                totals = tuple(value.clone() if isinstance(value, Tensor) else value for value in outputs)
            else:
                for total, value in zip(totals, outputs, strict=True):
                    if isinstance(total, Tensor):
                        total.add_(value)
            yield totals

    def stream(self, x: Tensor, steps: int, *, time_chunk: int | None = None) -> Iterator[Tensor]:
        """Yield the mean logits [N, classes] after 1, 2, ..., ``steps`` time steps; one run serves every T.

        Args:
            x: Images [N, ...], the same constant current at every step.
            steps: T.
            time_chunk: How many steps to push through the linear layers at once. By default 8 for one image,
                where the calls cost as much as the arithmetic, fewer for more images, and 1 from five on.

        Raises:
            TypeError: If ``x`` is not floating point.
            ValueError: If ``x`` is empty or not finite, or ``steps`` or ``time_chunk`` is below 1.
            RuntimeError: If a threshold is not set.
        """
        for done, totals in enumerate(self._totals(x, steps, time_chunk), start=1):
            yield self._logits(totals, done) + self.readout_bias

    def forward(self, x: Tensor, steps: int, *, time_chunk: int | None = None) -> Tensor:
        """Mean logits [N, classes] over ``steps`` time steps; arguments and errors as for :meth:`stream`.

        Source: Bu et al., ICLR 2022, section 3.
        """
        for totals in self._totals(x, steps, time_chunk):
            last = totals
        return self._logits(last, steps) + self.readout_bias

    def play(self, frames: Tensor) -> Tensor:
        """Mean logits [N, classes] for an input that changes from step to step, such as an event camera's.

        The ANN to compare with sees the mean frame.  All layers run at every step, the first one too.

        Args:
            frames: [T, N, ...], one frame for each time step.

        Raises:
            TypeError: If ``frames`` is not floating point.
            ValueError: If ``frames`` is empty, holds NaN or infinity, or has no axis for time.
            RuntimeError: If a threshold is not set.

        Source: Bu et al., ICLR 2022, eqs. (3)-(7), with a current that depends on t in the first layer.
        """
        require_float("frames", frames)
        if frames.dim() < 3 or frames.numel() == 0:
            raise ValueError(f"frames must have shape [T, N, ...], not empty; got {list(frames.shape)}")
        require_finite("frames", frames)
        self.with_thresholds()
        self.reset_state()
        with torch.no_grad():
            total: Tensor = self.body(_channels_last(frames[0])).clone()
            for frame in frames[1:]:
                total.add_(self.body(_channels_last(frame)))
        return total.div_(len(frames)) + self.readout_bias

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_schedule": None, "_constants": (), "_started": False}


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x


def _scaled(total: Any, steps: int) -> Any:
    """The average of a sum over steps; a shape or number (read for a reshape) stays as it is."""
    return total / steps if isinstance(total, Tensor) and steps > 1 else total


def _fed_by(node: fx.Node, body: fx.GraphModule) -> str:
    """The layers with weights right before this node, and neurons that reach it without weights."""
    found: list[str] = []
    pending, seen = list(node.all_input_nodes), set()
    while pending:
        source = pending.pop(0)
        if source in seen:
            continue
        seen.add(source)
        module = body.get_submodule(str(source.target)) if source.op == "call_module" else None
        if isinstance(module, SpikingActivation):
            found.append(str(source.target))
        elif source.op == "placeholder":
            found.append("image")
        elif isinstance(module, Affine):
            found.append(f"{source.target} (affine)")
            pending.extend(source.all_input_nodes)
        elif module is not None and any(True for _ in module.parameters()):
            found.append(str(source.target))
        else:
            pending.extend(source.all_input_nodes)
    return " + ".join(found)
