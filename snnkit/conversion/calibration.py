"""Calibration of a converted network: bias, potential and weight correction, layer after layer.

At layer l let x be the ANN's activation and phi the average output of the spiking layer over T steps, both on
the calibration images, and e = x - phi. The layers in front have been corrected before e is measured.

* bias correction:      b_c  <- b_c + mean of e over batch and space
* potential correction: v(0) <- T times the mean of e over the batch, per neuron, measured from v(0) = 0
* weight calibration:   minimise ||x - ClipFloor(W phi_before + b)||^2, straight-through floor, not unrolled

The bias is added to the current of every step (``SpikingActivation.shift``): the same as a bias of the
convolution, and it also works where several branches are added in front of the neurons.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from tqdm import tqdm

from snnkit._validate import require_positive, require_steps
from snnkit.conversion._batches import Images
from snnkit.conversion.layerwise import Layer, Run, make_stages
from snnkit.conversion.network import SpikingNetwork

__all__ = [
    "BiasCorrection",
    "Correction",
    "LayerReport",
    "PotentialCorrection",
    "WeightCalibration",
    "calibrate",
]


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

    The response is the clip-floor staircase with the layer's own shift and v(0); its floor passes gradients
    straight through, without which they would be 0. Nothing is unrolled in time.

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
    """Mean squared error of one layer before and after its own corrections; those in front are done."""

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
    """Correct a converted network in place, layer after layer, each after those in front are corrected.

    Args:
        network: A converted network whose thresholds are set.
        images: Calibration images [N, ...], or batches of them.
        steps: T of the later run; the corrections fit this T.
        corrections: :class:`BiasCorrection`, :class:`PotentialCorrection`, :class:`WeightCalibration`,
            applied to each layer in this order.
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
    neurons = network.with_thresholds()
    network.reset_state()
    stages = make_stages(network.body.graph, neurons)
    last_reader = {node: position for position, stage in enumerate(stages) for node in stage.inputs}
    reports = []
    with tqdm(desc="calibration", unit="batch", disable=not progress) as bar:
        run = Run(network, images, steps, batch_size, bar)
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
