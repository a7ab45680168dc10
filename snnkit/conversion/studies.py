"""Worked cases of the unevenness error: one neuron with threshold 1 and a short list of currents.

In A two inputs of rates 0.6 and 0.4 act through weights 2 and -2, in B one through 1.5; C is negative.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import torch

from snnkit._validate import require_in
from snnkit.conversion.unevenness import Case, classify_one, fire

__all__ = ["STUDIES", "Outcome", "Study", "order_histogram"]


class Outcome(NamedTuple):
    """What a :class:`Study` does; ``times`` count from 1, ``rate`` is N/T, ``target`` ReLU of the average."""

    times: tuple[int, ...]
    rate: float
    v_end: float
    target: float
    case: Case
    excess: int


@dataclass(frozen=True)
class Study:
    """The currents of a neuron with threshold 1, and what they show."""

    title: str
    currents: tuple[float, ...]
    v0: float = 0.0

    def run(self) -> Outcome:
        """Simulate the neuron and compare it with ReLU of its average current.

        Source: Bu et al., ICLR 2022, eqs. (3)-(9).
        """
        currents = torch.tensor(self.currents, dtype=torch.float64)
        steps = len(self.currents)
        firing = fire(currents, v0=self.v0)
        times = tuple(int(step) + 1 for step in firing.spikes.nonzero().flatten())
        v_end = float(firing.v_end)
        case, excess = classify_one(len(times), v_end, steps=steps)
        average = max(0.0, sum(self.currents) / steps)
        return Outcome(times, len(times) / steps, v_end, average, case, excess)


def _currents(weights: Sequence[float], times: Sequence[Sequence[int]], steps: int) -> tuple[float, ...]:
    """Current of each step when the inputs fire at ``times``, counted from 1.

    Source: Bu et al., ICLR 2022, eq. (2), with spikes of height 1.
    """
    pairs = list(zip(weights, times, strict=True))
    return tuple(float(sum(weight for weight, row in pairs if step in row)) for step in range(1, steps + 1))


_A = (2.0, -2.0)
_B = (1.5,)
STUDIES: dict[str, Study] = {
    "A even": Study(
        "rates 0.6 and 0.4 through weights 2 and -2, alternating: exact",
        _currents(_A, [(1, 3, 5), (2, 4)], 5),
    ),
    "A excitation first": Study(
        "the same rates, excitation first: two extra spikes",
        _currents(_A, [(1, 2, 3), (4, 5)], 5),
    ),
    "A inhibition first": Study(
        "the same rates, inhibition first: one spike missing, v(T) exactly at the threshold",
        _currents(_A, [(3, 4, 5), (1, 2)], 5),
    ),
    "B three inputs": Study(
        "one input of weight 1.5 at steps 1, 3 and 4: 1.5 of charge are left over, one spike is missing",
        _currents(_B, [(1, 3, 4)], 4),
    ),
    "B even": Study("one input of weight 1.5 at steps 1 and 3: v(T) = 0, exact", _currents(_B, [(1, 3)], 4)),
    "B late": Study("the same two inputs at steps 3 and 4: one spike missing", _currents(_B, [(3, 4)], 4)),
    "C": Study(
        "a spike that later inhibition cannot take back: the average is negative, ReLU gives 0",
        (0.9, 0.3, -2.0, 0.4),
    ),
}


def order_histogram(
    weights: tuple[float, float] = _A, *, steps: int = 5, first_spikes: int = 3, v0: float = 0.0
) -> dict[int, int]:
    """Output counts over all orders of two inputs, one of which fires whenever the other does not.

    Args:
        weights: weight of the first and of the second input.
        steps: number of time steps T.
        first_spikes: number of steps, from 0 to ``steps``, at which the first input fires.
        v0: potential before the first step.

    Returns:
        ``{count: number of orders}``, sorted by count.

    Source: Bu et al., ICLR 2022, example of section 4.3, over all ten orders.
    """
    require_in("first_spikes", first_spikes, 0, steps)
    everything = range(1, steps + 1)
    histogram: Counter[int] = Counter()
    for first in combinations(everything, first_spikes):
        second = [step for step in everything if step not in first]
        outcome = Study("one order", _currents(weights, [first, second], steps), v0).run()
        histogram[len(outcome.times)] += 1
    return dict(sorted(histogram.items()))
