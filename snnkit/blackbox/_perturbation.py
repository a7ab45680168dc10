"""Weight perturbation: random proposals, and a gradient from differences along random directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from tqdm.auto import tqdm

from snnkit._validate import require_finite, require_float, require_positive, require_shape, require_steps

Objective = Callable[[Tensor], "float | Tensor"]


class Perturbed(NamedTuple):
    """A run of weight perturbation: the last ``theta``, its ``value``, ``history`` (value after each step, the
    start first) and how many proposals were ``accepted``."""

    theta: Tensor
    value: float
    history: list[float]
    accepted: int


def perturb(
    objective: Objective,
    theta: Tensor,
    *,
    steps: int,
    scale: float,
    generator: torch.Generator | None = None,
    progress: bool = False,
) -> Perturbed:
    """Add Gaussian noise to all weights; keep it if the objective became smaller, otherwise discard it.

    Args:
        objective: parameters ``[D]`` to a number to minimise; deterministic.
        theta: where to start ``[D]``, floating point; not modified.
        steps: number of proposals, one evaluation each.
        scale: standard deviation of the noise.
        generator: source of randomness.
        progress: show a progress bar.

    Returns:
        ``Perturbed(theta, value, history, accepted)``; ``history`` has ``steps + 1`` entries and never rises.

    Raises:
        TypeError: if ``theta`` is not floating point.
        ValueError: if ``theta`` is not ``[D]``, ``steps < 1``, ``scale`` is not positive, or the objective is
            NaN at the start (a NaN later counts as worse).

    Source: random hill climbing; named after Jabri and Flower, IEEE Transactions on Neural Networks 1992.
    """
    _require_theta(theta, steps, scale)
    theta = theta.detach().clone()
    value = float(objective(theta))
    if value != value:
        raise ValueError("the objective is NaN at the starting point; no proposal could be compared with it")
    history, accepted = [value], 0
    for _ in tqdm(range(steps), desc="perturbation", disable=not progress):
        proposal = theta + scale * _normal(theta.shape, theta, generator)
        proposed = float(objective(proposal))
        if proposed < value:
            theta, value, accepted = proposal, proposed, accepted + 1
        history.append(value)
    return Perturbed(theta, value, history, accepted)


def directional_gradient(objective: Objective, theta: Tensor, directions: Tensor, *, scale: float) -> Tensor:
    """Mean over directions e of ``e (f(theta + scale e) - f(theta - scale e)) / (2 scale)``.

    For directions with mean of ``e e^T`` equal to the identity this estimates the gradient.  On a quadratic the
    central difference is exact, so the estimate is unbiased at every ``scale``.

    Args:
        objective: parameters ``[D]`` to a number.
        theta: where to take the gradient ``[D]``.
        directions: ``[K, D]``.
        scale: length of a step along a direction.

    Returns:
        ``[D]``.

    Raises:
        TypeError: if ``theta`` is not floating point.
        ValueError: if shapes do not fit or ``scale`` is not positive.

    Source: Spall, IEEE Transactions on Automatic Control 1992 (simultaneous perturbation).
    """
    _require_theta(theta, 1, scale)
    require_shape("directions", directions, ["K", theta.shape[0]])
    if len(directions) == 0:
        raise ValueError("directions must hold at least one direction; got none")
    theta = theta.detach()
    total = torch.zeros_like(theta)
    for direction in directions:
        rise = float(objective(theta + scale * direction)) - float(objective(theta - scale * direction))
        total = total + rise / (2 * scale) * direction
    return total / len(directions)


def estimate_gradient(
    objective: Objective,
    theta: Tensor,
    *,
    samples: int,
    scale: float,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Estimate the gradient ``[D]`` from ``2 * samples`` evaluations along random vectors of signs.

    The variance of each component is about the squared norm of the rest of the gradient over ``samples``: in
    D dimensions about D samples are needed to beat the noise. Arguments and errors as in
    :func:`directional_gradient`, and ``ValueError`` for ``samples < 1``.

    Source: Spall, IEEE Transactions on Automatic Control 1992 (simultaneous perturbation).
    """
    _require_theta(theta, samples, scale, "samples")
    coins = torch.randint(0, 2, (samples, theta.shape[0]), generator=generator, device=theta.device)
    return directional_gradient(objective, theta, coins.to(theta.dtype) * 2 - 1, scale=scale)


def perturbation_descent(
    objective: Objective,
    theta: Tensor,
    *,
    steps: int,
    rate: float,
    scale: float,
    samples: int = 1,
    generator: torch.Generator | None = None,
    progress: bool = False,
) -> Perturbed:
    """Gradient descent on :func:`estimate_gradient`: updates of ``2 * samples + 1`` evaluations each.

    Arguments as in :func:`perturb` (``rate`` is the learning rate, ``scale`` the length of a step along each
    of ``samples`` directions), result and errors too; every update is accepted, so ``history`` may rise.

    Source: Spall, IEEE Transactions on Automatic Control 1992 (simultaneous perturbation).
    """
    _require_theta(theta, steps, scale)
    require_positive("rate", rate)
    theta = theta.detach().clone()
    history = [float(objective(theta))]
    for _ in tqdm(range(steps), desc="perturbation", disable=not progress):
        theta = theta - rate * estimate_gradient(
            objective, theta, samples=samples, scale=scale, generator=generator
        )
        history.append(float(objective(theta)))
    return Perturbed(theta, history[-1], history, steps)


def module_objective(
    module: nn.Module, loss: Callable[[nn.Module], float | Tensor]
) -> tuple[Objective, Tensor]:
    """Turn a network and its loss into an objective of one parameter vector.

    Args:
        module: the network; each evaluation writes the vector into its parameters, so that a last call
            ``objective(result.theta)`` loads the result.
        loss: module to a number, evaluated without gradients.

    Returns:
        The objective and a copy of the present parameters ``[D]``.

    Raises:
        ValueError: if the module has no parameters.

    Source: definition.
    """
    if not any(True for _ in module.parameters()):
        raise ValueError(f"{type(module).__name__} has no parameters to perturb")

    @torch.no_grad()
    def objective(theta: Tensor) -> float:
        vector_to_parameters(theta.clone(), module.parameters())
        return float(loss(module))

    return objective, parameters_to_vector(module.parameters()).detach().clone()


def _normal(shape: torch.Size, like: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=like.dtype, device=like.device)


def _require_theta(theta: Tensor, count: int, scale: float, name: str = "steps") -> None:
    require_float("theta", theta)
    require_shape("theta", theta, ["D"])
    require_finite("theta", theta)
    require_steps(count, name)
    require_positive("scale", scale)
