"""Pre-activation wide residual networks for 32 x 32 images, with the activation as a module of one's choice.

Every activation is a module of its own (never ``F.relu``), so that each can be replaced, observed and converted.
The shortcut carries the block's input as it is, before normalisation and activation: in the spiking network it
transmits real-valued currents.
"""

from __future__ import annotations

from torch import Tensor, nn

from snnkit._validate import require_steps
from snnkit.models.resnet import Activation, require_images

__all__ = ["Block", "WideResNet", "wide_resnet"]


class Block(nn.Module):
    """``x + conv(act(norm(conv(act(norm(x))))))``, with a 1 x 1 convolution of ``x`` where the shape changes.

    Args:
        inputs: channels of ``x``.
        outputs: channels of the result.
        stride: of the first convolution and of the shortcut.
        activation: builds one activation module.

    Source: Zagoruyko & Komodakis, BMVC 2016, figure 1; He et al., ECCV 2016 (pre-activation).
    """

    def __init__(self, inputs: int, outputs: int, stride: int, activation: Activation) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.act1 = activation()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.act2 = activation()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.conv1(self.act1(self.norm1(x)))
        inner = self.conv2(self.act2(self.norm2(inner)))
        result: Tensor = inner + self.shortcut(x)
        return result


class WideResNet(nn.Module):
    """Wide residual network; see :func:`wide_resnet`."""

    def __init__(self, depth: int, width: int, activation: Activation, classes: int, channels: int) -> None:
        super().__init__()
        blocks = (depth - 4) // 6
        widths = [16, 16 * width, 32 * width, 64 * width]
        self.channels = channels
        self.conv = nn.Conv2d(channels, widths[0], 3, padding=1, bias=False)
        groups = []
        for group in range(3):
            inputs, outputs, stride = widths[group], widths[group + 1], 1 if group == 0 else 2
            rest = [Block(outputs, outputs, 1, activation) for _ in range(blocks - 1)]
            groups.append(nn.Sequential(Block(inputs, outputs, stride, activation), *rest))
        self.groups = nn.Sequential(*groups)
        self.norm = nn.BatchNorm2d(widths[3])
        self.act = activation()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(widths[3], classes)
        self.register_forward_pre_hook(require_images)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        features = self.act(self.norm(self.groups(self.conv(x))))
        logits: Tensor = self.linear(self.flatten(self.pool(features)))
        return logits


def wide_resnet(
    depth: int = 16,
    width: int = 2,
    activation: Activation = nn.ReLU,
    *,
    classes: int = 10,
    channels: int = 3,
) -> WideResNet:
    """WideResNet-depth-width for images ``[N, channels, H, W]``.

    Args:
        depth: 6 n + 4 with n blocks in each of the three groups (10, 16, 22, 28, ...).
        width: factor on the channels 16, 32, 64 of the groups.
        activation: builds one activation module, such as ``nn.ReLU`` or ``lambda: QCFS(levels=8)``.
        classes: outputs.
        channels: channels of the image.

    Returns:
        The network with fresh weights; it maps images to logits ``[N, classes]``.

    Raises:
        ValueError: if ``depth`` is not 6 n + 4 with n of at least 1, or a number is below 1.

    Source: Zagoruyko & Komodakis, BMVC 2016, table 1.
    """
    require_steps(depth, "depth")
    for name, value in (("width", width), ("classes", classes), ("channels", channels)):
        require_steps(value, name)
    if depth < 10 or (depth - 4) % 6:
        raise ValueError(f"depth must be 10, 16, 22, 28, ... (6 n + 4); got {depth}")
    return WideResNet(depth, width, activation, classes, channels)
