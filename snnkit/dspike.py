r"""Dspike's temperature while training: the b whose surrogate gradient points most like a finite difference.

The loss of a spiking network is piecewise constant in its weights, so its true gradient says nothing. A finite
difference over a step that is not small does: it is the slope of the loss smoothed over the width of the step
(which tends to 0 as the step does). Once per epoch the surrogate gradients at b - db, b and b + db are compared
with it, on some weights of one layer, as one vector each; the largest cosine similarity wins.

Cost: two forward passes per weight sampled, and one forward and one backward pass per temperature. All passes
see the same random numbers (dropout, encodings), and buffers such as batch statistics are put back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from snnkit._validate import require_positive, require_steps
from snnkit.surrogate import Dspike

__all__ = [
    "FiniteDifference",
    "TemperatureChoice",
    "TemperatureController",
    "choose_temperature",
    "cosine_similarity",
    "finite_difference_gradient",
    "sample_coordinates",
    "set_temperature",
]

Loss = Callable[[], Tensor]


@dataclass(frozen=True)
class FiniteDifference:
    """A finite-difference gradient at some coordinates of a weight, and what it cost.

    Args:
        coordinates: flat indices into the weight, ``[n]``.
        gradient: the differences there, ``[n]``, in double precision.
        forwards: forward passes used, ``2 n``.
    """

    coordinates: Tensor
    gradient: Tensor
    forwards: int


@dataclass(frozen=True)
class TemperatureChoice:
    """The chosen temperature, the similarity of every candidate, and the passes used.

    Args:
        b: the candidate of largest similarity (the first of equals; the present one if none has a similarity).
        similarities: cosine similarity to the finite difference by candidate; NaN where a gradient is 0.
        forwards: forward passes.
        backwards: backward passes.
    """

    b: float
    similarities: dict[float, float]
    forwards: int
    backwards: int


def sample_coordinates(weight: Tensor, count: int, generator: torch.Generator | None = None) -> Tensor:
    """Distinct random flat indices into ``weight``; all of them, in order, if it has no more than ``count``.

    Raises:
        ValueError: ``count`` is below 1.

    Source: Li et al. 2021 (Dspike) use all weights of the first layer; sampling them is an economy.
    """
    require_steps(count, "count")
    if count >= weight.numel():
        return torch.arange(weight.numel())
    return torch.randperm(weight.numel(), generator=generator)[:count]


def finite_difference_gradient(
    loss: Loss, weight: Tensor, *, step: float, coordinates: Tensor | None = None
) -> FiniteDifference:
    """Central differences ``(L(w + step e_i) - L(w - step e_i)) / (2 step)`` of the loss.

    Args:
        loss: evaluates the loss, a scalar, on a fixed batch with the weights as they are.
        weight: the tensor that is varied, in place; put back afterwards. Must be contiguous.
        step: half-width of the difference: a smoothing width, not a number to be made as small as possible.
        coordinates: flat indices to vary; None takes all.

    Returns:
        The differences and the cost.

    Raises:
        ValueError: ``step`` is not positive, ``weight`` is not contiguous, or a coordinate is out of range or
            not given as ``[n]`` with n at least 1.

    Source: Li et al. 2021 (Dspike, NeurIPS), section on finite-difference gradients.
    """
    require_positive("step", step)
    if not weight.is_contiguous():
        raise ValueError("weight must be contiguous, as it is varied in place; call .contiguous() on it")
    chosen = torch.arange(weight.numel()) if coordinates is None else coordinates
    if chosen.dim() != 1 or chosen.numel() == 0:
        raise ValueError(f"coordinates must be [n] with n >= 1; got shape {list(chosen.shape)}")
    if int(chosen.min()) < 0 or int(chosen.max()) >= weight.numel():
        raise ValueError(
            f"coordinates must lie in [0, {weight.numel() - 1}]; got {int(chosen.min())} to {int(chosen.max())}"
        )
    flat = weight.detach().view(-1)
    differences = []
    with torch.no_grad():
        for index in chosen.tolist():
            kept = flat[index].clone()
            values = []
            try:
                for sign in (1, -1):
                    flat[index] = kept + sign * step
                    with _same_randomness():
                        values.append(float(loss()))
            finally:
                flat[index] = kept
            differences.append((values[0] - values[1]) / (2 * step))
    gradient = torch.tensor(differences, dtype=torch.float64)
    return FiniteDifference(chosen, gradient, 2 * len(differences))


def cosine_similarity(a: Tensor, b: Tensor) -> float:
    """Cosine of the angle between two gradients, each taken as one vector; NaN if one of them is 0.

    Raises:
        ValueError: the numbers of elements differ.
    """
    if a.numel() != b.numel():
        raise ValueError(f"the gradients must have equally many elements; got {a.numel()} and {b.numel()}")
    a, b = a.detach().double().flatten(), b.detach().double().flatten()
    return float((a @ b) / (a.norm() * b.norm()))


def set_temperature(model: nn.Module, b: float) -> int:
    """Give every :class:`~snnkit.surrogate.Dspike` that a module of ``model`` holds the temperature ``b``.

    Args:
        model: a network whose neurons use Dspike.
        b: temperature, positive.

    Returns:
        How many surrogates were set.

    Raises:
        ValueError: ``b`` is not positive, or the model has no Dspike.

    Source: Li et al. 2021 (Dspike, NeurIPS).
    """
    require_positive("b", b)
    held = (value for module in model.modules() for value in vars(module).values())
    surrogates = {id(value): value for value in held if isinstance(value, Dspike)}
    if not surrogates:
        raise ValueError("the model has no Dspike surrogate; build its neurons with surrogate=Dspike()")
    for surrogate in surrogates.values():
        surrogate.b = b
    return len(surrogates)


def choose_temperature(
    model: nn.Module,
    loss: Loss,
    weight: nn.Parameter,
    candidates: Sequence[float],
    *,
    step: float,
    coordinates: Tensor | None = None,
) -> TemperatureChoice:
    """Set the temperature of ``model`` to the candidate whose surrogate gradient is most like a finite difference.

    Gradients already gathered in the parameters are kept, and so are the buffers of the model.

    Args:
        model: a network with Dspike surrogates.
        loss: evaluates the loss of ``model`` on a fixed batch.
        weight: parameter whose gradients are compared, usually that of the first layer.
        candidates: temperatures, positive; the first is the present one.
        step: see :func:`finite_difference_gradient`.
        coordinates: flat indices of the weights compared; None takes all.

    Returns:
        The choice, with the passes it took.

    Raises:
        ValueError: there is no candidate or no Dspike, a candidate is not positive, or as in
            :func:`finite_difference_gradient`.

    Source: Li et al. 2021 (Dspike, NeurIPS), algorithm 1.
    """
    if not candidates:
        raise ValueError("candidates is empty; expected at least one temperature")
    for b in candidates:
        require_positive("a candidate", b)
    with _buffers_kept(model):
        reference = finite_difference_gradient(loss, weight, step=step, coordinates=coordinates)
        similarities: dict[float, float] = {}
        for b in candidates:
            set_temperature(model, b)
            with _same_randomness():
                (gradient,) = torch.autograd.grad(loss(), weight)
            similarities[b] = cosine_similarity(gradient.flatten()[reference.coordinates], reference.gradient)
    comparable = [b for b in similarities if similarities[b] == similarities[b]]
    best = max(comparable, key=similarities.__getitem__, default=candidates[0])
    set_temperature(model, best)
    tried = len(similarities)
    return TemperatureChoice(best, similarities, reference.forwards + len(candidates), tried)


@dataclass
class TemperatureController:
    """Chooses b among {b, b - db, b + db} once per call of :meth:`update`, never below ``minimum``.

    Args:
        model: a network with Dspike surrogates; they are set to ``b`` at once.
        weight: parameter whose gradients are compared, usually that of the first layer.
        b: temperature to start from.
        change: db.
        step: width of the finite difference.
        samples: weights sampled per update (two forward passes each).
        minimum: smallest b, positive.
        generator: source of the samples; None takes torch's global one.
        choices: one :class:`TemperatureChoice` per update.

    Raises:
        ValueError: a number is not positive, ``b`` is below ``minimum``, or the model has no Dspike.

    Source: Li et al. 2021 (Dspike, NeurIPS), algorithm 1, with sampled coordinates.
    """

    model: nn.Module
    weight: nn.Parameter
    b: float = 3.0
    change: float = 0.5
    step: float = 0.1
    samples: int = 32
    minimum: float = 0.1
    generator: torch.Generator | None = None
    choices: list[TemperatureChoice] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("b", "change", "step", "minimum"):
            require_positive(name, getattr(self, name))
        require_steps(self.samples, "samples")
        if self.b < self.minimum:
            raise ValueError(f"b must be at least the minimum {self.minimum}; got {self.b}")
        set_temperature(self.model, self.b)

    def update(self, loss: Loss) -> TemperatureChoice:
        """Choose b for the next epoch.

        Args:
            loss: evaluates the loss of the model on a fixed batch.

        Returns:
            The choice; its ``b`` is now that of the model.

        Raises:
            ValueError: as in :func:`choose_temperature`.

        Source: Li et al. 2021 (Dspike, NeurIPS), algorithm 1.
        """
        below = max(self.minimum, self.b - self.change)
        choice = choose_temperature(
            self.model,
            loss,
            self.weight,
            list(dict.fromkeys([self.b, below, self.b + self.change])),
            step=self.step,
            coordinates=sample_coordinates(self.weight, self.samples, self.generator),
        )
        self.b = choice.b
        self.choices.append(choice)
        return choice


@contextmanager
def _same_randomness() -> Iterator[None]:
    """Leave torch's global generator as it was found, so that the next pass draws the same numbers."""
    state = torch.get_rng_state()
    try:
        yield
    finally:
        torch.set_rng_state(state)


@contextmanager
def _buffers_kept(model: nn.Module) -> Iterator[None]:
    kept = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in kept:
                buffer.copy_(value)
