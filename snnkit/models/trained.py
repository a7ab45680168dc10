"""Trained networks that come with the package, by name.

Each is one safetensors file of half-precision weights beside this package's code; its header holds the model card,
so that weights and card cannot be told apart.  Nothing is fetched.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from snnkit.conversion.qcfs import QCFS
from snnkit.models.wideresnet import WideResNet, wide_resnet

__all__ = ["ModelCard", "load", "pretrained", "pretrained_card", "pretrained_names", "save"]

_HEADER = "card"


@dataclass(frozen=True)
class ModelCard:
    """What is known of a trained network."""

    name: str
    title: str
    depth: int
    width: int
    levels: int  #: L of its QCFS activations
    accuracy: float  #: share of test images classified right, before conversion
    images: int  #: number of those test images
    validation: float  #: the same on training images that were held out
    validation_images: int
    data: str
    training: str
    use: str
    limits: str
    licence: str


def _assets() -> Path:
    return Path(str(resources.files("snnkit"))) / "assets"


def pretrained_names() -> tuple[str, ...]:
    """Names of the trained networks, sorted.

    Returns:
        What :func:`pretrained` and :func:`card` take.

    Source: none, a look-up.
    """
    return tuple(sorted(path.stem for path in _assets().glob("*.safetensors")))


def _path(name: str) -> Path:
    if name not in pretrained_names():
        raise KeyError(
            f"no trained network '{name}'; there are {', '.join(pretrained_names()) or 'none in this package'}"
        )
    return _assets() / f"{name}.safetensors"


def _read(path: Path) -> tuple[ModelCard, dict[str, torch.Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping
    except SafetensorError as error:
        raise ValueError(
            f"{path.name} is not a complete safetensors file: {error}; install the package anew"
        ) from error
    known = {field.name for field in fields(ModelCard)}
    found: Any = json.loads(header.get(_HEADER, "{}"))
    if set(found) != known:
        raise ValueError(
            f"{path.name} has no model card; expected the fields {', '.join(sorted(known))} in its header"
        )
    return ModelCard(**found), tensors


@cache
def pretrained_card(name: str) -> ModelCard:
    """The model card of one of :func:`pretrained_names`; raises what :func:`pretrained` raises.

    Source: Mitchell et al., FAT* 2019, for what a card should say.
    """
    return _read(_path(name))[0]


def pretrained(name: str) -> WideResNet:
    """One of :func:`pretrained_names` in evaluation mode, read from the package.

    It maps normalised images [N, 3, 32, 32] (:func:`snnkit.models.normalise`) to logits [N, 10], in float32.

    Raises:
        KeyError: if there is no such network.
        ValueError: if its file is damaged.

    Source: architecture of Zagoruyko & Komodakis, BMVC 2016; activation of Bu et al., ICLR 2022.
    """
    return load(_path(name))


def load(path: Path) -> WideResNet:
    """The network of a file that :func:`save` wrote.

    Args:
        path: of the safetensors file.

    Returns:
        The network in float32 and evaluation mode.

    Raises:
        ValueError: if the file is damaged or has no card, or its weights do not fit the card.

    Source: none.
    """
    found, tensors = _read(path)
    with torch.random.fork_rng(devices=[]):  # the fresh weights are replaced; the caller's numbers stay
        model = wide_resnet(found.depth, found.width, lambda: QCFS(found.levels))
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(f"the weights of {path.name} do not fit its card: {error}") from error
    return model.eval()


def save(path: Path, model: nn.Module, card: ModelCard) -> None:
    """Write a network in half precision, with its card.

    Args:
        path: of the safetensors file; replaced.
        model: its weights.
        card: what is known of it.

    Source: none.
    """
    state = {
        key: (value.half() if value.is_floating_point() else value).contiguous()
        for key, value in model.state_dict().items()
    }
    save_file(state, path, metadata={_HEADER: json.dumps(asdict(card))})
