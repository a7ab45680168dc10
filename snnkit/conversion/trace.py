"""From a plain PyTorch network to a spiking one, by tracing.

:func:`convert` traces an ``nn.Module`` with ``torch.fx``, folds BatchNorm into the convolution or linear
layer in front of it, and puts a :class:`~snnkit.conversion.neuron.SpikingActivation` at *every call* of a
ReLU or QCFS activation (a module used twice becomes two layers of neurons).
Everything else has to be linear (or affine): it is applied to the spikes of every time step as it is.
The image is a constant current, the last layer has no neurons, and the logits are averaged over time.
What cannot be converted raises :class:`ConversionError`, which names the place.
"""

from __future__ import annotations

import copy
import operator
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from snnkit._validate import require_positive
from snnkit.conversion.folding import (
    Affine,
    BatchNorm,
    ConversionError,
    WithWeight,
    batchnorm_affine,
    fold_batchnorm,
)
from snnkit.conversion.network import SpikingNetwork
from snnkit.conversion.neuron import InitialPotential, SpikingActivation
from snnkit.conversion.schedule import SHAPE_METHODS, drop_unused

__all__ = ["QuantisedActivation", "convert"]


@runtime_checkable
class QuantisedActivation(Protocol):
    """What makes a module a quantised clip-floor activation: a trained ``clip`` and its number of ``levels``.

    It is converted with threshold = clip and v(0) = clip/2.

    Source: Bu et al., ICLR 2022, section 4.
    """

    clip: Tensor
    levels: int


# --- what may stand between two layers of neurons -----------------------------------------------------------

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
            "every image: move checks of values or shapes out of forward (say, into a forward pre-hook)"
        ) from error


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
        drop_unused(self.graph)
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
        if not signal or method in SHAPE_METHODS:
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


def convert(model: nn.Module) -> SpikingNetwork:
    """Turn a trained ANN into a spiking network; the model itself is not changed.

    QCFS layers bring their threshold (the trained clip) and v(0) = clip/2; thresholds of ReLU layers are set
    afterwards with :func:`snnkit.conversion.set_thresholds`.
    Tracing reads ``x += y`` as ``x = x + y``.

    Args:
        model: An ``nn.Module`` whose forward takes one tensor [N, ...] and returns logits [N, classes]. ReLU
            (module, ``F.relu``, ``torch.relu``, ``x.relu()``) or QCFS is its only nonlinearity; pooling is
            average pooling.

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
    reference = {name: builder.activations.get(name) or copy.deepcopy(part) for name, part in parts.items()}
    network = SpikingNetwork(
        fx.GraphModule(parts, builder.graph, "Body"),
        fx.GraphModule(reference, copy.deepcopy(builder.graph), "Reference"),
    )
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
