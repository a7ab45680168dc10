r"""The quantisation clip-floor-shift (QCFS) activation: train the staircase that the spiking neuron computes.

    h(z) = clip * clamp(floor(z * levels / clip + 1/2), 0, levels) / levels

Convention: ``clip`` (lambda), one trainable number per layer, becomes the threshold; ``levels`` (L) is fixed.

Three gradients are in use for the same forward pass; they differ in where dh/dz is 1 instead of 0:

* :class:`PaperRegion`, (-clip/2L, clip - clip/2L): the staircase has not yet reached its top.  **Run here**:
  it is the published one and 0 wherever the output is saturated; ``clip`` takes the whole gradient there.
* :class:`FloorThenClamp`, [-clip/2L, clip + clip/2L): what automatic differentiation gives when the rounding
  is done first; the gradient still passes for half a step above the clip.
* :class:`ClampThenFloor`, [0, clip]: the clamp is done first; no gradient below 0, as for ReLU.

With the floor replaced by the identity in the backward pass (straight-through), dh/dclip is (h - z)/clip
inside the region, 1 above it and 0 below.

Conversion: threshold = clip and v(0) = clip/2 (:meth:`QCFS.spiking_parameters`).  With T = levels and no
unevenness error the spiking network equals the trained one; with T != levels the errors cancel on average.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from snnkit._validate import require_float, require_in, require_positive, require_steps

__all__ = [
    "QCFS",
    "ClampThenFloor",
    "FloorThenClamp",
    "PaperRegion",
    "Region",
    "SpikingParameters",
    "mean_conversion_error",
    "qcfs_layers",
    "staircase",
    "use_qcfs",
]


class Region(Protocol):
    """Where the straight-through gradient of the staircase is 1."""

    def __call__(self, z: Tensor, clip: Tensor, levels: int) -> Tensor: ...


@dataclass(frozen=True)
class PaperRegion:
    """True for ``-clip/2L < z < clip - clip/2L``.

    Source: Bu et al., ICLR 2022, eq. (18).
    """

    def __call__(self, z: Tensor, clip: Tensor, levels: int) -> Tensor:
        half = clip / (2 * levels)
        return (z > -half) & (z < clip - half)


@dataclass(frozen=True)
class FloorThenClamp:
    """True for ``-clip/2L <= z < clip + clip/2L``.

    Source: gradient of clamp(floor(.), 0, 1) with a straight-through floor.
    """

    def __call__(self, z: Tensor, clip: Tensor, levels: int) -> Tensor:
        half = clip / (2 * levels)
        return (z >= -half) & (z < clip + half)


@dataclass(frozen=True)
class ClampThenFloor:
    """True for ``0 <= z <= clip``.

    Source: gradient of floor(clamp(., 0, 1)) with a straight-through floor.
    """

    def __call__(self, z: Tensor, clip: Tensor, levels: int) -> Tensor:
        return (z >= 0) & (z <= clip)


class _Staircase(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, clip: Tensor, levels: int, phi: float, region: Region) -> Tensor:
        h = torch.mul(z, levels).div_(clip).add_(phi).floor_().clamp_(0, levels).mul_(clip / levels)
        ctx.save_for_backward(z, clip, h)
        ctx.levels, ctx.region = levels, region
        return h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        z, clip, h = ctx.saved_tensors
        inside = ctx.region(z, clip, ctx.levels)
        grad_z = grad * inside
        grad_clip = None
        if ctx.needs_input_grad[1]:  # (h - z)/clip inside, 1 above
            above = inside.logical_not_().logical_and_(z > 0)
            grad_clip = (h - z).mul_(grad_z).sum() / clip + (grad * above).sum().reshape(clip.shape)
        return grad_z, grad_clip, None, None, None


def staircase(
    z: Tensor,
    clip: float | Tensor,
    levels: int,
    phi: float = 0.5,
    region: Region = PaperRegion(),
) -> Tensor:
    """The QCFS activation as a function, with the straight-through gradients of ``z`` and ``clip``.

    Args:
        z: pre-activations, any shape, floating point.
        clip: positive number or tensor of one element.
        levels: number of steps L.
        phi: shift inside the floor, in [0, 1); 1/2 rounds to the nearest level.
        region: where the gradient of ``z`` is 1.

    Returns:
        Values ``clip * k / levels`` with k = 0..levels, shaped like ``z``.

    Raises:
        TypeError: if ``z`` is not floating point or ``levels`` no int.
        ValueError: if ``clip`` is not positive, ``levels`` below 1 or ``phi`` outside [0, 1].

    Source: Bu et al., ICLR 2022, eqs. (16) and (18), with the corrected derivative by clip.
    """
    require_float("z", z)
    require_positive("clip", clip)
    require_steps(levels, "levels")
    require_in("phi", phi, 0.0, 1.0)
    level = torch.as_tensor(clip, dtype=z.dtype, device=z.device)
    if level.numel() != 1:
        raise ValueError(f"clip must hold one number per layer; got shape {list(level.shape)}")
    return _apply(z, level, levels, phi, region)


def _apply(z: Tensor, clip: Tensor, levels: int, phi: float, region: Region) -> Tensor:
    result: Tensor = _Staircase.apply(z, clip, levels, phi, region)  # type: ignore[no-untyped-call]
    return result


class SpikingParameters(NamedTuple):
    """Threshold and potential v(0) of the spiking neuron that replaces a QCFS activation."""

    threshold: float
    initial: float


class QCFS(nn.Module):
    """QCFS activation with a trainable clip and phi = 1/2, which makes the expected conversion error zero.

    Args:
        levels: number of steps L; 4 or 8 are usual.
        clip: initial value of the trainable clip lambda.
        region: where the gradient of the input is 1.

    Raises:
        TypeError, ValueError: for bad arguments, see :func:`staircase`; also in ``forward``, when training
            has driven ``clip`` to 0 or below.

    Source: Bu et al., ICLR 2022, eqs. (16)-(18).
    """

    clip: nn.Parameter

    def __init__(
        self,
        levels: int = 8,
        clip: float = 8.0,
        region: Region = PaperRegion(),
    ) -> None:
        super().__init__()
        require_steps(levels, "levels")
        require_positive("clip", clip)
        self.levels = levels
        self.region = region
        self.clip = nn.Parameter(torch.tensor(float(clip)))

    def forward(self, z: Tensor) -> Tensor:
        if not float(self.clip.detach()) > 0:
            raise ValueError(
                f"the clip of this QCFS activation has become {float(self.clip.detach()):g}; it must stay positive. "
                "Train with a smaller learning rate, or with weight decay 0 for clip"
            )
        return _apply(z, self.clip, self.levels, 0.5, self.region)

    def spiking_parameters(self) -> SpikingParameters:
        """What the converter sets: threshold = clip and v(0) = clip/2, as plain numbers.

        Source: Bu et al., ICLR 2022, section 4.2.
        """
        clip = float(self.clip.detach())
        return SpikingParameters(clip, clip / 2)

    def extra_repr(self) -> str:
        return f"levels={self.levels}, clip={float(self.clip.detach()):g}"


def use_qcfs(
    module: nn.Module,
    levels: int,
    clip: float = 8.0,
    region: Region = PaperRegion(),
) -> nn.Module:
    """Replace every ``nn.ReLU`` inside a model by its own :class:`QCFS`, in place.

    Calls of ``F.relu`` cannot be seen from outside and stay as they are; a ReLU module that the model calls
    at several places becomes one QCFS with one clip for all of them.

    The other arguments are those of :class:`QCFS`.  A ValueError says that there is nothing to replace.

    Source: Bu et al., ICLR 2022, section 4.4.
    """
    replaced: dict[int, QCFS] = {}
    for parent in list(module.modules()):
        for name, child in list(
            parent._modules.items()
        ):  # named_children() skips a second name of one module
            if isinstance(child, nn.ReLU):
                activation = replaced.setdefault(id(child), QCFS(levels, clip, region=region))
                activation.train(child.training)
                setattr(parent, name, activation)
    if not replaced:
        raise ValueError(
            f"{type(module).__name__} holds no nn.ReLU module to replace; F.relu in a forward method has to be "
            "rewritten as a module (self.act = nn.ReLU()) first"
        )
    return module


def qcfs_layers(module: nn.Module) -> dict[str, QCFS]:
    """``{qualified name: QCFS activation}`` of a model, in order of registration; empty if there is none."""
    return {name: child for name, child in module.named_modules() if isinstance(child, QCFS)}


def mean_conversion_error(levels: int, steps: int, *, phi: float = 0.5, points: int = 16) -> float:
    """Mean of (spiking neuron - QCFS activation) for z uniform on [0, clip], in units of clip.

    The spiking neuron has threshold = clip, v(0) = phi * clip, ``steps`` time steps and no unevenness.  The
    grid holds the midpoints of ``2 * points * levels * steps`` equal cells, so with phi = 0 or 1/2 no point
    lies on a jump.

    It is 0 to rounding for phi = 1/2.

    Source: Bu et al., ICLR 2022, theorem 2.
    """
    require_steps(levels, "levels")
    require_steps(steps)
    require_steps(points, "points")
    require_in("phi", phi, 0.0, 1.0)
    cells = 2 * points * levels * steps
    z = (torch.arange(cells, dtype=torch.float64) + 0.5) / cells
    spiking = torch.floor(z * steps + phi).clamp(0, steps) / steps
    return float((spiking - staircase(z, 1.0, levels, phi)).mean())
