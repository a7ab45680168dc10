"""What of a converted network runs once per image, at every time step, and once at the end.

What the image alone decides (the first convolution) is *constant*.
What follows the last neurons is affine, so it is applied once, to the average of its inputs.
Only the *step* in between runs T times; for a few images several time steps are folded into the batch of its
linear layers (a *chunk*), because there the calls cost as much as the arithmetic.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from snnkit.conversion.neuron import SpikingActivation

__all__ = [
    "SHAPE_METHODS",
    "Schedule",
    "constant_nodes",
    "drop_unused",
    "is_spiking",
    "make_schedule",
    "reads_shape",
]

SHAPE_METHODS = {"size", "dim", "ndimension", "numel"}


def drop_unused(graph: fx.Graph) -> None:
    """Erase the nodes that nothing reads."""
    for node in reversed(graph.nodes):
        if not node.users and node.op not in ("placeholder", "output"):
            graph.erase_node(node)


def is_spiking(node: fx.Node, neurons: Mapping[str, nn.Module]) -> bool:
    """Whether a node of the traced graph is one of these layers of neurons."""
    return node.op == "call_module" and node.target in neurons


def reads_shape(node: fx.Node) -> bool:
    """Whether a node's value is a number or a shape, or was computed from one."""
    if node.op == "call_method":
        return node.target in SHAPE_METHODS
    if node.op != "call_function":
        return False
    return node.target is getattr or any(reads_shape(n) for n in node.all_input_nodes)


def constant_nodes(graph: fx.Graph, neurons: Mapping[str, nn.Module]) -> set[fx.Node]:
    """The nodes whose value is the same at every time step, because no neuron lies before them."""
    constant: set[fx.Node] = set()
    for node in graph.nodes:
        may_be = node.op != "output" and not is_spiking(node, neurons)
        if may_be and all(n in constant for n in node.all_input_nodes):
            constant.add(node)
    return constant


def _last_nodes(graph: fx.Graph, constant: set[fx.Node], neurons: Mapping[str, nn.Module]) -> set[fx.Node]:
    """The nodes that no neuron comes after."""
    last: set[fx.Node] = set()
    for node in reversed(graph.nodes):
        may_be = node not in constant and not is_spiking(node, neurons)
        if may_be and all(user in last for user in node.users):
            last.add(node)
    return last


@dataclass
class Schedule:
    """The body in three parts; only the middle one runs at every time step.

    ``constant`` is what the image alone decides.
    ``last`` follows the last neurons: it is affine, so it is applied once, to the average of its inputs.
    """

    constant: fx.GraphModule
    step: fx.GraphModule
    chunk: fx.GraphModule | None  # None where a shape is read from the image, which folding would change
    last: fx.GraphModule
    split: int  # how many of the constants the middle part reads; the others go to the last part


def make_schedule(body: fx.GraphModule, neurons: Mapping[str, SpikingActivation]) -> Schedule:
    """Cut the traced graph of a converted network into its three parts; they share their layers with it."""
    nodes = list(body.graph.nodes)
    constant = constant_nodes(body.graph, neurons)
    last = _last_nodes(body.graph, constant, neurons)
    middle = {n for n in nodes if n not in constant and n not in last}

    def border(inside: set[fx.Node], outside: set[fx.Node]) -> list[fx.Node]:
        return [n for n in nodes if n in inside and n.op != "get_attr" and any(u in outside for u in n.users)]

    to_middle, to_last = border(constant, middle), border(middle, last)
    kept = border(constant, last)  # constants that the last part reads, too

    def part(inside: set[fx.Node], given: list[fx.Node], results: list[fx.Node]) -> fx.GraphModule:
        graph, place = fx.Graph(), {}
        for index, node in enumerate(given):
            place[node] = graph.placeholder(f"given_{index}")
        for node in nodes:
            if node not in place and (node in inside or node.op == "get_attr"):
                place[node] = graph.node_copy(node, place.__getitem__)
        if results:
            graph.output(tuple(place[n] for n in results))
        return _module(graph, body)

    first = part(constant, [], [*to_middle, *kept])
    foldable = not any(reads_shape(n) for n in [*to_middle, *to_last])
    return Schedule(
        constant=first,
        step=part(middle, to_middle, to_last),
        chunk=_folded(body, neurons, middle, to_middle, to_last) if foldable else None,
        last=part(last, [*to_last, *kept], []),
        split=len(to_middle),
    )


def _module(
    graph: fx.Graph, body: fx.GraphModule, extra: Mapping[str, nn.Module] | None = None
) -> fx.GraphModule:
    """A graph module that shares its layers with ``body``."""
    drop_unused(graph)
    parts: dict[str, Any] = dict(extra or {})
    for node in graph.nodes:
        if node.op in ("call_module", "get_attr") and node.target not in parts:
            parts[str(node.target)] = operator.attrgetter(str(node.target))(body)
    return fx.GraphModule(parts, graph)


# --- several time steps at once -----------------------------------------------------------------------------


class _Chunk(nn.Module):
    """Several time steps of one neuron layer, folded into the batch: [k N, ...] in, [k N, ...] out."""

    def __init__(self, neuron: SpikingActivation, constant: bool) -> None:
        super().__init__()
        self.neuron = neuron
        self.constant = constant
        self.buffer: Tensor | None = None
        self.slices: tuple[Tensor, ...] = ()

    def forward(self, current: Tensor, steps: int) -> Tensor:
        currents = (current,) * steps if self.constant else current.chunk(steps)
        buffer, neuron = self.buffer, self.neuron
        shape = (steps * currents[0].shape[0], *current.shape[1:])
        fits = buffer is not None and buffer.shape == shape and buffer.dtype == current.dtype
        if buffer is None or not fits or len(self.slices) != steps:
            layout = torch.channels_last if current.dim() == 4 else torch.contiguous_format
            buffer = torch.empty(shape, dtype=current.dtype, device=current.device, memory_format=layout)
            self.buffer, self.slices = buffer, buffer.chunk(steps)
        try:
            for one, output in zip(currents, self.slices, strict=True):
                neuron.write_to(output)
                neuron(one)
        finally:
            neuron.write_to(None)
        return buffer


def _repeat(constant: Tensor, steps: int) -> Tensor:
    return torch.cat([constant] * steps)


def _folded(
    body: fx.GraphModule,
    neurons: Mapping[str, SpikingActivation],
    middle: set[fx.Node],
    given: list[fx.Node],
    results: list[fx.Node],
) -> fx.GraphModule:
    """The middle part for several steps at once: time folded into the batch, neurons in :class:`_Chunk`."""
    graph, wrapped = fx.Graph(), {}
    place = {node: graph.placeholder(f"given_{index}") for index, node in enumerate(given)}
    steps = graph.placeholder("steps")
    repeated: dict[fx.Node, fx.Node] = {}

    def value(node: fx.Node) -> fx.Node:
        if node not in given:
            return place[node]
        if node not in repeated:
            repeated[node] = graph.call_function(_repeat, (place[node], steps))
        return repeated[node]

    for node in body.graph.nodes:
        if node.op == "get_attr":
            place[node] = graph.node_copy(node)
        elif node in middle and is_spiking(node, neurons):
            source = node.args[0]
            assert isinstance(source, fx.Node)
            name = "folded_" + str(node.target).replace(".", "_")
            wrapped[name] = _Chunk(neurons[str(node.target)], source in given)
            place[node] = graph.call_module(name, (place[source], steps))
        elif node in middle:
            place[node] = graph.node_copy(node, value)
    graph.output(tuple(place[n] for n in results))
    return _module(graph, body, wrapped)
