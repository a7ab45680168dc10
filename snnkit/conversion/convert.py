"""From a plain PyTorch network to a spiking one, by tracing.

:func:`convert` traces an ``nn.Module`` with ``torch.fx``, folds BatchNorm into the convolution or linear layer in
front of it, and puts a :class:`~snnkit.conversion.neuron.SpikingActivation` at *every call* of a ReLU or QCFS
activation (a module used twice becomes two layers of neurons).
Everything else has to be linear (or affine): it is applied to the spikes of every time step as it is.
The image is a constant current, the last layer has no neurons, and the logits are averaged over time.
What cannot be converted raises :class:`ConversionError`, which names the place.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from snnkit._validate import require_finite, require_float, require_positive, require_steps
from snnkit.conversion.neuron import InitialPotential, SpikingActivation, describe


class ConversionError(ValueError):
    """A part of the network that cannot become spiking; the message names it and says what to do."""


@runtime_checkable
class QuantisedActivation(Protocol):
    """What makes a module a quantised clip-floor activation: a trained ``clip`` and its number of ``levels``.

    It is converted with threshold = clip and v(0) = clip/2.

    Source: Bu et al., ICLR 2022, section 4.
    """

    clip: Tensor
    levels: int


class Affine(nn.Module):
    """y = scale x + bias per channel: a BatchNorm in evaluation mode that no layer in front can take up.

    Args:
        scale: [C].
        bias: [C].
    """

    def __init__(self, scale: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.scale = nn.Parameter(scale.detach().clone())
        self.bias = nn.Parameter(bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """Apply to [N, C, ...]."""
        shape = (1, -1, *[1] * (x.dim() - 2))
        return torch.addcmul(self.bias.view(shape), x, self.scale.view(shape))

    def extra_repr(self) -> str:
        return f"channels={self.scale.numel()}"


BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d
WithWeight = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d


def batchnorm_affine(norm: BatchNorm) -> tuple[Tensor, Tensor]:
    """Scale and bias [C] that a BatchNorm applies in evaluation mode: gamma / sqrt(var + eps), beta - mean scale.

    Raises:
        ConversionError: If it keeps no running statistics.

    Source: Ioffe & Szegedy, ICML 2015, algorithm 2.
    """
    if norm.running_mean is None or norm.running_var is None:
        raise ConversionError(
            "a BatchNorm without running statistics depends on the batch; set track_running_stats=True"
        )
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    if norm.weight is not None:
        scale = scale * norm.weight.detach().double()
    bias = -norm.running_mean.double() * scale
    if norm.bias is not None:
        bias = bias + norm.bias.detach().double()
    return scale, bias


def fold_batchnorm(layer: WithWeight, norm: BatchNorm) -> None:
    r"""Fold a BatchNorm that follows ``layer`` into its weight and bias, in place.

    :math:`\bar W = \frac{\gamma}{\sqrt{\mathrm{var}+\epsilon}} W`,
    :math:`\bar b = \frac{\gamma}{\sqrt{\mathrm{var}+\epsilon}} (b - \mu) + \beta`.

    Source: Rueckauer et al., Front. Neurosci. 2017, eq. (7), with epsilon.
    """
    scale, bias = batchnorm_affine(norm)
    if layer.weight.shape[0] != scale.numel():
        raise ConversionError(
            f"a BatchNorm of {scale.numel()} channels follows a layer with {layer.weight.shape[0]} outputs"
        )
    weight = layer.weight.detach().double() * scale.view(-1, *[1] * (layer.weight.dim() - 1))
    if layer.bias is not None:
        bias = bias + scale * layer.bias.detach().double()
    dtype = layer.weight.dtype
    layer.weight = nn.Parameter(weight.to(dtype))
    layer.bias = nn.Parameter(bias.to(dtype))


# --- what may stand between two layers of neurons -------------------------------------------------------------

_LINEAR_MODULES: tuple[type[nn.Module], ...] = (
    nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
    nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d,
    nn.Flatten, nn.Unflatten, nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d, nn.PixelShuffle, nn.Upsample, Affine,
)  # fmt: skip
_IDENTITY_MODULES: tuple[type[nn.Module], ...] = (
    nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout,
)  # fmt: skip
_MAX_POOL_MODULES: tuple[type[nn.Module], ...] = (
    nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d,
    nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d, nn.FractionalMaxPool2d,
)  # fmt: skip
_RELU_FUNCTIONS = {F.relu, F.relu_, torch.relu, torch.relu_}
_IDENTITY_FUNCTIONS = {F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, torch.dropout}
_LINEAR_FUNCTIONS = {
    operator.add, operator.sub, operator.neg, operator.getitem,
    torch.add, torch.sub, torch.neg, torch.cat, torch.concat, torch.stack, torch.flatten, torch.reshape,
    torch.mean, torch.sum, torch.permute, torch.transpose, torch.squeeze, torch.unsqueeze, torch.chunk, torch.split,
    F.pad, F.linear, F.conv1d, F.conv2d, F.conv3d, F.avg_pool1d, F.avg_pool2d, F.avg_pool3d,
    F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d, F.interpolate, F.pixel_shuffle,
}  # fmt: skip
_PRODUCTS = {operator.mul, torch.mul, "mul"}
_QUOTIENTS = {operator.truediv, torch.div, "div"}
_LINEAR_METHODS = {
    "add", "sub", "neg", "reshape", "flatten", "unflatten", "mean", "sum", "permute", "transpose", "contiguous",
    "squeeze", "unsqueeze", "chunk", "split", "expand", "repeat", "to", "float", "clone",
}  # fmt: skip
_IN_PLACE_METHODS = {"add_": "add", "sub_": "sub", "mul_": "mul", "div_": "div"}
_SHAPE_METHODS = {"size", "dim", "ndimension", "numel"}
_SHAPE_ATTRIBUTES = {"shape", "ndim", "dtype", "device"}


def _name(function: object) -> str:
    return getattr(function, "__name__", str(function))


class _Tracer(fx.Tracer):
    """Traces through the model's own modules; layers of torch.nn and quantised activations stay whole."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, QuantisedActivation) or super().is_leaf_module(m, module_qualified_name)


def _trace(model: nn.Module) -> fx.Graph:
    try:
        return _Tracer().trace(model)
    except Exception as error:
        raise ConversionError(
            f"{type(model).__name__} cannot be traced: {error}. The forward pass has to run the same operations for "
            "every image: move checks of values or shapes out of forward (for example into a forward pre-hook)"
        ) from error


def _drop_unused(graph: fx.Graph) -> None:
    for node in reversed(graph.nodes):
        if not node.users and node.op not in ("placeholder", "output"):
            graph.erase_node(node)


class _Builder:
    """Rewrites the traced graph, node by node, into one whose activations are layers of neurons."""

    def __init__(self, model: nn.Module, traced: fx.Graph) -> None:
        self.model = model
        self.traced = traced
        self.order = {node: i for i, node in enumerate(traced.nodes)}
        self.graph = fx.Graph()
        self.new: dict[fx.Node, fx.Node] = {}
        self.modules: dict[str, Any] = {}
        self.activations: dict[str, nn.Module] = {}
        self.signals: set[fx.Node] = set()  # new nodes that carry the image or spikes
        self.taken: dict[str, int] = {}

    # -- small helpers

    def place(self, node: fx.Node) -> str:
        stack = list(node.meta.get("nn_module_stack", {}))
        inside = f"module '{stack[-1]}'" if stack and stack[-1] else f"{type(self.model).__name__}.forward"
        return f"'{node.target}'" if node.op == "call_module" else f"{_name(node.target)} in {inside}"

    def refuse(self, node: fx.Node, why: str) -> ConversionError:
        return ConversionError(f"{self.place(node)} cannot be converted: {why}")

    def unique(self, name: str) -> str:
        count = self.taken[name] = self.taken.get(name, 0) + 1
        return name if count == 1 else f"{name}_{count}"

    def arguments(self, node: fx.Node) -> tuple[tuple[Any, ...], dict[str, Any]]:
        mapped = fx.node.map_arg((node.args, node.kwargs), lambda n: self.new[n])
        return mapped[0], mapped[1]

    def carries(self, value: Any) -> bool:
        found: list[fx.Node] = []
        fx.node.map_arg(value, lambda n: found.append(n))
        return any(n in self.signals for n in found)

    def emit(self, node: fx.Node, created: fx.Node, signal: bool) -> None:
        self.new[node] = created
        if signal:
            self.signals.add(created)

    def check_in_place(self, node: fx.Node) -> None:
        changed = node.args[0]
        if isinstance(changed, fx.Node) and any(self.order[u] > self.order[node] for u in changed.users):
            raise self.refuse(
                node,
                "it changes a tensor in place that is used again later; write the result to a new tensor",
            )

    # -- one method per kind of node

    def build(self) -> None:
        for node in self.traced.nodes:
            getattr(self, node.op)(node)
        if not self.activations:
            raise ConversionError(
                f"{type(self.model).__name__} has no ReLU or QCFS activation; there is nothing to make spiking"
            )
        _drop_unused(self.graph)
        self.graph.lint()

    def placeholder(self, node: fx.Node) -> None:
        if self.signals:
            if node.args:  # an optional argument keeps its default
                self.new[node] = node.args[0]  # type: ignore[assignment]
                return
            raise ConversionError(
                f"{type(self.model).__name__}.forward has a second input '{node.target}'; expected the image only"
            )
        self.emit(node, self.graph.placeholder("x"), True)

    def get_attr(self, node: fx.Node) -> None:
        value: Any = self.model
        for part in str(node.target).split("."):
            value = getattr(value, part)
        target = str(node.target)
        self.modules[target] = value.detach().clone() if isinstance(value, Tensor) else value
        self.emit(node, self.graph.get_attr(target), False)

    def output(self, node: fx.Node) -> None:
        result = node.args[0]
        if not isinstance(result, fx.Node) or self.new[result] not in self.signals:
            raise ConversionError(
                f"{type(self.model).__name__}.forward returns {type(result).__name__} {result}; "
                "expected one tensor of logits that depends on the image"
            )
        self.graph.output(self.new[result])

    def spiking(self, node: fx.Node, activation: nn.Module, name: str) -> None:
        name = self.unique(name)
        neuron = SpikingActivation()
        if isinstance(activation, QuantisedActivation):
            clip = torch.as_tensor(activation.clip).detach()
            try:
                require_positive("clip", clip)
            except ValueError as error:
                raise self.refuse(node, str(error)) from error
            neuron.set_threshold(clip.reshape(()) if clip.numel() == 1 else clip.flatten())
            InitialPotential().apply(neuron)
        self.modules[name] = neuron
        self.activations[name] = copy.deepcopy(activation)
        self.emit(node, self.graph.call_module(name, (self.arguments(node)[0][0],)), True)

    def relu(self, node: fx.Node) -> None:
        if node.target in (F.relu_, torch.relu_, "relu_") or node.kwargs.get(
            "inplace", node.args[1:] == (True,)
        ):
            self.check_in_place(node)
        stack = [name for name in node.meta.get("nn_module_stack", {}) if name]
        self.spiking(node, nn.ReLU(), f"{stack[-1]}.relu" if stack else "relu")

    def call_module(self, node: fx.Node) -> None:
        target = str(node.target)
        module = self.model.get_submodule(target)
        args, kwargs = self.arguments(node)
        if isinstance(module, (nn.ReLU, QuantisedActivation)):
            if getattr(module, "inplace", False):
                self.check_in_place(node)
            self.spiking(node, nn.ReLU() if isinstance(module, nn.ReLU) else module, target)
        elif isinstance(module, BatchNorm):
            self.batchnorm(node, module)
        elif isinstance(module, _IDENTITY_MODULES):
            self.new[node] = args[0]
        elif isinstance(module, _LINEAR_MODULES):
            self.modules[name := self.unique(target)] = copy.deepcopy(module)
            self.emit(node, self.graph.call_module(name, args, kwargs), True)
        elif isinstance(module, _MAX_POOL_MODULES):
            raise self.refuse(node, _MAX_POOL)
        else:
            raise self.refuse(node, f"{type(module).__name__} is not linear. {_ADVICE}")

    def batchnorm(self, node: fx.Node, norm: BatchNorm) -> None:
        source = node.args[0]
        assert isinstance(source, fx.Node)
        before = self.new[source]
        layer = self.modules.get(str(before.target)) if before.op == "call_module" else None
        try:
            if isinstance(layer, WithWeight) and len(source.users) == 1:
                fold_batchnorm(layer, norm)
                self.new[node] = before
            else:
                scale, bias = batchnorm_affine(norm)
                name = self.unique(str(node.target))
                dtype = norm.running_mean.dtype if norm.running_mean is not None else scale.dtype
                self.modules[name] = Affine(scale.to(dtype), bias.to(dtype))
                self.emit(node, self.graph.call_module(name, (before,)), True)
        except ConversionError as error:
            raise self.refuse(node, str(error)) from error

    def call_function(self, node: fx.Node) -> None:
        if node.target in _RELU_FUNCTIONS:
            self.relu(node)
            return
        function: Any = node.target
        args, kwargs = self.arguments(node)
        signal = self.carries((args, kwargs))
        if not signal:
            self.emit(node, self.graph.call_function(function, args, kwargs), False)
        elif function in _IDENTITY_FUNCTIONS:
            self.new[node] = args[0]
        elif function is getattr and args[1] in _SHAPE_ATTRIBUTES:
            self.emit(node, self.graph.call_function(function, args), False)
        else:
            self.check_linear(node, function, args, kwargs, _LINEAR_FUNCTIONS)
            self.emit(node, self.graph.call_function(function, args, kwargs), True)

    def call_method(self, node: fx.Node) -> None:
        if node.target in ("relu", "relu_"):
            self.relu(node)
            return
        method = str(node.target)
        args, kwargs = self.arguments(node)
        signal = self.carries((args, kwargs))
        if method in _IN_PLACE_METHODS:
            if signal:
                self.check_in_place(node)
            method = _IN_PLACE_METHODS[method]
        if method == "view":
            method = "reshape"  # channels-last tensors cannot always be viewed
        if not signal or method in _SHAPE_METHODS:
            self.emit(node, self.graph.call_method(method, args, kwargs), False)
        else:
            self.check_linear(node, method, args, kwargs, _LINEAR_METHODS)
            self.emit(node, self.graph.call_method(method, args, kwargs), True)

    def check_linear(self, node: fx.Node, function: Any, args: Any, kwargs: Any, linear: set[Any]) -> None:
        if function in _PRODUCTS or function in _QUOTIENTS:
            second = args[1] if len(args) > 1 else next(iter(kwargs.values()))
            first_carries, second_carries = self.carries(args[0]), self.carries(second)
            if second_carries and (first_carries or function in _QUOTIENTS):
                raise self.refuse(
                    node,
                    "a product or quotient of two signals is not linear; only a constant factor can stay",
                )
        elif function in (F.linear, F.conv1d, F.conv2d, F.conv3d) and self.carries((args[1:], kwargs)):
            raise self.refuse(node, "its weight depends on the image; only a constant weight is linear")
        elif function not in linear:
            name = _name(function)
            raise self.refuse(node, _MAX_POOL if "max" in name and "soft" not in name else _advice(name))


_MAX_POOL = (
    "max pooling of spikes is not the max pooling of their averages. "
    "Use average pooling (nn.AvgPool2d) and train the network again"
)
_ADVICE = "Use ReLU or QCFS as the only nonlinearity, and train the network again"


def _advice(name: str) -> str:
    if "softmax" in name:
        return (
            "the logits are averaged over time, so leave the softmax out of forward (the loss can apply it)"
        )
    return f"{name} is not known to be linear. {_ADVICE}"


# --- running it ------------------------------------------------------------------------------------------------


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


@dataclass
class _Plan:
    """The body in three parts; only the middle one runs at every time step.

    ``constant`` is what the image alone decides.
    ``last`` follows the last neurons: it is affine, so it is applied once, to the average of its inputs.
    """

    constant: fx.GraphModule
    step: fx.GraphModule
    chunk: fx.GraphModule | None  # None where a shape is read from the image, which folding would change
    last: fx.GraphModule
    split: int  # how many of the constants the middle part reads; the others go to the last part


def constant_nodes(graph: fx.Graph, neurons: Mapping[str, nn.Module]) -> set[fx.Node]:
    """The nodes whose value is the same at every time step, because no neuron lies before them."""
    constant: set[fx.Node] = set()
    for node in graph.nodes:
        spiking = node.op == "call_module" and node.target in neurons
        if node.op != "output" and not spiking and all(n in constant for n in node.all_input_nodes):
            constant.add(node)
    return constant


def _last_nodes(graph: fx.Graph, constant: set[fx.Node], neurons: Mapping[str, nn.Module]) -> set[fx.Node]:
    """The nodes that no neuron comes after."""
    last: set[fx.Node] = set()
    for node in reversed(graph.nodes):
        spiking = node.op == "call_module" and node.target in neurons
        if node not in constant and not spiking and all(user in last for user in node.users):
            last.add(node)
    return last


def _plan(body: fx.GraphModule, neurons: Mapping[str, SpikingActivation]) -> _Plan:
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
    return _Plan(
        constant=first,
        step=part(middle, to_middle, to_last),
        chunk=_folded(body, neurons, middle, to_middle, to_last) if foldable else None,
        last=part(last, [*to_last, *kept], []),
        split=len(to_middle),
    )


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
        elif node in middle and node.op == "call_module" and node.target in neurons:
            source = node.args[0]
            assert isinstance(source, fx.Node)
            name = "folded_" + str(node.target).replace(".", "_")
            wrapped[name] = _Chunk(neurons[str(node.target)], source in given)
            place[node] = graph.call_module(name, (place[source], steps))
        elif node in middle:
            place[node] = graph.node_copy(node, value)
    graph.output(tuple(place[n] for n in results))
    return _module(graph, body, wrapped)


def _module(
    graph: fx.Graph, body: fx.GraphModule, extra: Mapping[str, nn.Module] | None = None
) -> fx.GraphModule:
    """A graph module that shares its layers with ``body``."""
    _drop_unused(graph)
    parts: dict[str, Any] = dict(extra or {})
    for node in graph.nodes:
        if node.op in ("call_module", "get_attr") and node.target not in parts:
            parts[str(node.target)] = operator.attrgetter(str(node.target))(body)
    return fx.GraphModule(parts, graph)


def reads_shape(node: fx.Node) -> bool:
    """Whether a node's value is a number or a shape, or was computed from one."""
    if node.op == "call_method":
        return node.target in _SHAPE_METHODS
    if node.op != "call_function":
        return False
    return node.target is getattr or any(reads_shape(n) for n in node.all_input_nodes)


class SpikingNetwork(nn.Module):
    """A converted network: neurons at every activation, the image as a constant current, logits averaged over T.

    What only the image decides (the first convolution) is computed once per run, and so is what follows the last
    neurons, from their average output.
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
        self._plan: _Plan | None = None
        self._constants: tuple[Any, ...] = ()
        self._started = False
        self.requires_grad_(False)
        self.eval()

    # -- looking at it

    def neurons(self) -> dict[str, SpikingActivation]:
        """The layers of neurons by name, in the order in which they run."""
        modules = dict(self.body.named_modules())
        sites = (modules.get(str(n.target)) for n in self.body.graph.nodes if n.op == "call_module")
        names = [str(n.target) for n in self.body.graph.nodes if n.op == "call_module"]
        return {k: m for k, m in zip(names, sites, strict=True) if isinstance(m, SpikingActivation)}

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

    def _ready(self) -> dict[str, SpikingActivation]:
        """The layers of neurons, which all have thresholds, at the state before the first step."""
        neurons = self.neurons()
        for name, neuron in neurons.items():
            if not neuron.is_set:
                raise RuntimeError(
                    f"layer '{name}' has no threshold yet; call set_thresholds(network, images, Maximum()) first"
                )
        self.reset_state()
        return neurons

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
        neurons = self._ready()
        if self._plan is None:
            self._plan = _plan(self.body, neurons)
        with torch.no_grad():
            self._constants, self._started = self._plan.constant(_channels_last(x)), True

    def step(self) -> Tensor:
        """One time step after :meth:`start`: the logits [N, classes] of this step alone."""
        return self._logits(next(self._outputs(1, 1)), 1)

    def _outputs(self, steps: int, time_chunk: int) -> Iterator[tuple[Any, ...]]:
        """What the last part reads, at each of the next ``steps`` time steps."""
        if self._plan is None or not self._started:
            raise RuntimeError("call start(x) before taking steps")
        constants = self._constants[: self._plan.split]
        folded = self._plan.chunk if time_chunk > 1 else None
        with torch.no_grad():
            if folded is None:
                for _ in range(steps):
                    yield self._plan.step(*constants)
            else:
                for done in range(0, steps, time_chunk):
                    size = min(time_chunk, steps - done)
                    yield from zip(*(value.chunk(size) for value in folded(*constants, size)), strict=True)

    def _logits(self, totals: tuple[Any, ...], steps: int) -> Tensor:
        assert self._plan is not None
        with torch.no_grad():
            averages = [_scaled(total, steps) for total in totals]
            logits: Tensor = self._plan.last(*averages, *self._constants[self._plan.split :])
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
            time_chunk: How many steps to push through the linear layers at once. By default 8 for one image, where
                the calls cost as much as the arithmetic, fewer for more images, and 1 from five on.

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
        """Mean logits [N, classes] for an input that changes from step to step, such as the frames of an event camera.

        The ANN to compare with sees the mean frame.  All layers run at every step, the first one too.

        Args:
            frames: [T, N, ...], one frame for each time step.

        Raises:
            TypeError: If ``frames`` is not floating point.
            ValueError: If ``frames`` is empty, holds NaN or infinity, or has no axis for time.
            RuntimeError: If a threshold is not set.

        Source: Bu et al., ICLR 2022, eqs. (3)-(7), with a current that depends on t in the first layer as well.
        """
        require_float("frames", frames)
        if frames.dim() < 3 or frames.numel() == 0:
            raise ValueError(f"frames must have shape [T, N, ...], not empty; got {list(frames.shape)}")
        require_finite("frames", frames)
        self._ready()
        with torch.no_grad():
            total: Tensor = self.body(_channels_last(frames[0])).clone()
            for frame in frames[1:]:
                total.add_(self.body(_channels_last(frame)))
        return total.div_(len(frames)) + self.readout_bias

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_plan": None, "_constants": (), "_started": False}


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


def convert(model: nn.Module) -> SpikingNetwork:
    """Turn a trained ANN into a spiking network; the model itself is not changed.

    QCFS layers bring their threshold (the trained clip) and v(0) = clip/2; thresholds of ReLU layers are set
    afterwards with :func:`snnkit.conversion.set_thresholds`.
    Tracing reads ``x += y`` as ``x = x + y``.

    Args:
        model: An ``nn.Module`` whose forward takes one tensor [N, ...] and returns logits [N, classes]. ReLU (module,
            ``F.relu``, ``torch.relu``, ``x.relu()``) or QCFS is its only nonlinearity; pooling is average pooling.

    Returns:
        The spiking network; ``print`` it for the table of its layers.

    Raises:
        ConversionError: If the model cannot be traced or a part of it cannot be converted; the part is named.

    Source: Diehl et al., IJCNN 2015; Rueckauer et al., Front. Neurosci. 2017; Bu et al., ICLR 2022.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be an nn.Module; got {type(model).__name__}")
    training = [module.training for module in model.modules()]
    model.eval()
    try:
        builder = _Builder(model, _trace(model))
        builder.build()
    finally:
        for module, was in zip(model.modules(), training, strict=True):
            module.training = was
    kept = {str(n.target) for n in builder.graph.nodes if n.op in ("call_module", "get_attr")}
    parts = {name: part for name, part in builder.modules.items() if name in kept}
    copies: Callable[[Any], Any] = copy.deepcopy
    reference = {name: builder.activations.get(name) or copies(part) for name, part in parts.items()}
    network = SpikingNetwork(
        fx.GraphModule(parts, builder.graph, "Body"),
        fx.GraphModule(reference, copies(builder.graph), "Reference"),
    )
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
