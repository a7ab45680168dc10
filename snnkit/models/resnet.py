"""ResNet-20 for 32 x 32 images, in the layout of the trained weights that the course uses.

Convention: convolution, BatchNorm, activation; shortcuts without weights (option A: every second pixel, missing
channels filled with zeros); one activation module per place.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snnkit._validate import require_float, require_shape, require_steps

__all__ = [
    "CIFAR10_MEAN",
    "CIFAR10_STD",
    "Activation",
    "BasicBlock",
    "OptionA",
    "ResNet",
    "load_weights",
    "normalise",
    "require_images",
    "resnet20",
]

Activation = Callable[[], nn.Module]

CIFAR10_MEAN = (0.485, 0.456, 0.406)
"""Mean of red, green and blue that :func:`normalise` subtracts; the trained weights expect it."""

CIFAR10_STD = (0.229, 0.224, 0.225)
"""Standard deviation that :func:`normalise` divides by."""


class OptionA(nn.Module):
    """Shortcut without weights: every second pixel, new channels of zeros on both sides.

    Source: He et al., CVPR 2016, section 4.2 (option A).
    """

    def __init__(self, extra: int) -> None:
        super().__init__()
        self.before, self.after = extra // 2, extra - extra // 2

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to [N, C + extra, H/2, W/2]."""
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.before, self.after))


class BasicBlock(nn.Module):
    """relu(norm(conv(relu(norm(conv(x))))) + shortcut(x)).

    Source: He et al., CVPR 2016, fig. 2.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, activation: Activation) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.act1 = activation()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity() if stride == 1 else OptionA(outputs - inputs)
        self.act2 = activation()

    def forward(self, x: Tensor) -> Tensor:
        inner = self.bn2(self.conv2(self.act1(self.bn1(self.conv1(x)))))
        result: Tensor = self.act2(inner + self.shortcut(x))
        return result


class ResNet(nn.Module):
    """Residual network of depth 6 n + 2; see :func:`resnet20`."""

    def __init__(self, blocks: int, activation: Activation, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.act1 = activation()
        self.layer1 = self._stage(16, 16, 1, blocks, activation)
        self.layer2 = self._stage(16, 32, 2, blocks, activation)
        self.layer3 = self._stage(32, 64, 2, blocks, activation)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(64, classes)
        self.register_forward_pre_hook(require_images)

    @staticmethod
    def _stage(inputs: int, outputs: int, stride: int, blocks: int, activation: Activation) -> nn.Sequential:
        first = BasicBlock(inputs, outputs, stride, activation)
        return nn.Sequential(first, *(BasicBlock(outputs, outputs, 1, activation) for _ in range(blocks - 1)))

    def forward(self, x: Tensor) -> Tensor:
        features = self.layer3(self.layer2(self.layer1(self.act1(self.bn1(self.conv1(x))))))
        logits: Tensor = self.linear(self.flatten(self.pool(features)))
        return logits


def require_images(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Forward pre-hook: raise ``ValueError`` unless the input is [N, 3, H, W] (or the module's ``channels``)."""
    require_shape("images", inputs[0], ["N", int(getattr(module, "channels", 3)), "H", "W"])


def resnet20(
    weights: str | Path | None = None, *, activation: Activation = nn.ReLU, classes: int = 10
) -> ResNet:
    """ResNet-20: 0.27 M parameters, three stages of three blocks with 16, 32 and 64 channels.

    Args:
        weights: An ``.npz`` file with the network's tensors by name; None for fresh weights.
        activation: Builds one activation module, such as ``nn.ReLU`` or ``lambda: QCFS(levels=8)``.
        classes: Outputs.

    Returns:
        The network, images [N, 3, 32, 32] to logits [N, classes]; in evaluation mode if weights were loaded.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If a tensor is missing, unknown or of another shape.

    Source: He et al., CVPR 2016, section 4.2.
    """
    require_steps(classes, "classes")
    model = ResNet(3, activation, classes)
    if weights is not None:
        load_weights(model, weights)
        model.eval()
    return model


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Load an ``.npz`` file of tensors by name into ``model``, in place.

    Parameters that the file cannot know (the clip of a QCFS layer) have to be set by hand afterwards and are the only
    ones that may be missing, together with BatchNorm's batch counters.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a tensor is missing, unknown, not finite or of another shape; the tensor is named.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}; expected an .npz file of tensors by name")
    expected = model.state_dict()
    try:
        with np.load(path, allow_pickle=False) as archive:
            found = {name: torch.from_numpy(archive[name]) for name in archive.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a readable .npz file of tensors: {error}") from error
    for name, tensor in found.items():
        if name not in expected:
            raise ValueError(f"{path.name} has a tensor '{name}', which {type(model).__name__} does not have")
        if tensor.shape != expected[name].shape:
            raise ValueError(
                f"tensor '{name}' of {path.name} has shape {list(tensor.shape)}; "
                f"{type(model).__name__} expects {list(expected[name].shape)}"
            )
        if not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"tensor '{name}' of {path.name} holds NaN or infinity; expected finite numbers")
    optional = ("num_batches_tracked", "clip")
    missing = [name for name in expected if name not in found and not name.endswith(optional)]
    if missing:
        raise ValueError(f"{path.name} lacks the tensor '{missing[0]}' ({len(missing)} missing in all)")
    model.load_state_dict(found, strict=False)


def normalise(images: np.ndarray[Any, Any] | Tensor) -> Tensor:
    """Scale images in [0, 1], as :func:`snnkit.datasets.cifar10` gives them, to what the trained ResNet-20 expects.

    Args:
        images: [N, 3, H, W], floating point, in [0, 1].

    Returns:
        (images - mean) / std per channel, [N, 3, H, W].

    Raises:
        TypeError: If the images are not floating point.
        ValueError: If they are not [N, 3, H, W] or leave [0, 1].
    """
    tensor = torch.as_tensor(images)
    require_float("images", tensor)
    require_shape("images", tensor, ["N", 3, "H", "W"])
    if tensor.numel():
        low, high = float(tensor.min()), float(tensor.max())
        if not (low >= 0 and high <= 1):
            raise ValueError(
                f"images must lie in [0, 1]; they span [{low:.4g}, {high:.4g}]; divide bytes by 255"
            )
    mean, std = torch.tensor(CIFAR10_MEAN).view(3, 1, 1), torch.tensor(CIFAR10_STD).view(3, 1, 1)
    return (tensor - mean) / std
