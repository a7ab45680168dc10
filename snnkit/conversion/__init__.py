"""From a trained ANN to a spiking network: conversion, thresholds, calibration, analysis of errors.

The way through: :func:`convert` a model, :func:`set_thresholds` on calibration images (QCFS brings its own),
perhaps :func:`calibrate`, then ``network(images, steps)``.
``qcfs`` has the trained quantised activation; ``monitor`` reads what a running network does, ``errors`` and
``unevenness`` (with ``studies``) say where accuracy is lost, ``remedies`` what can be done about it, and
``tuning`` fits a network through its time steps. These modules are imported on first use.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from snnkit._lazy import submodule, submodules
from snnkit.conversion.calibration import (
    BiasCorrection,
    Correction,
    LayerReport,
    PotentialCorrection,
    WeightCalibration,
    calibrate,
)
from snnkit.conversion.folding import Affine, ConversionError, fold_batchnorm
from snnkit.conversion.layerwise import Layer
from snnkit.conversion.network import SpikingNetwork
from snnkit.conversion.neuron import (
    BiasShift,
    BinarySpikes,
    FiringRule,
    Floor,
    InitialPotential,
    Rounding,
    SpikingActivation,
    clip_floor,
)
from snnkit.conversion.qcfs import QCFS, qcfs_layers, use_qcfs
from snnkit.conversion.threshold import (
    Adaptive,
    Maximum,
    Percentile,
    ThresholdRule,
    set_rounding,
    set_thresholds,
    staircase_errors,
)
from snnkit.conversion.trace import QuantisedActivation, convert

__all__ = [
    "QCFS",
    "Adaptive",
    "Affine",
    "BiasCorrection",
    "BiasShift",
    "BinarySpikes",
    "ConversionError",
    "Correction",
    "FiringRule",
    "Floor",
    "InitialPotential",
    "Layer",
    "LayerReport",
    "Maximum",
    "Percentile",
    "PotentialCorrection",
    "QuantisedActivation",
    "Rounding",
    "SpikingActivation",
    "SpikingNetwork",
    "ThresholdRule",
    "WeightCalibration",
    "calibrate",
    "clip_floor",
    "convert",
    "fold_batchnorm",
    "qcfs_layers",
    "set_rounding",
    "set_thresholds",
    "staircase_errors",
    "use_qcfs",
]

_MODULES = submodules(__path__)

if not TYPE_CHECKING:  # a type checker finds modules by itself, and would take every misspelt name for one

    def __getattr__(name: str) -> ModuleType:
        return submodule(__name__, _MODULES, name)


def __dir__() -> list[str]:
    return [*globals(), *_MODULES]
