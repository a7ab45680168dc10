"""How a habit is written down: the cells that somebody writes for one question, and what is expected of its points."""

from __future__ import annotations

from dataclasses import dataclass

RIGHT = {
    "spike_count": "def spike_count(charge, threshold):\n    return int((charge >= threshold).sum())\n",
    "longest_silence": (
        "def longest_silence(train):\n    best = now = 0\n    for s in train:\n        now = 0 if s else now + 1\n"
        "        best = max(best, now)\n    return best\n"
    ),
    "shares": (
        "def shares(counts):\n    total = counts.sum(axis=1, keepdims=True)\n    return counts / np.maximum(total, 1)\n"
    ),
    "rate_code": (
        "def rate_encode(values, steps, generator):\n"
        "    draws = torch.rand((steps, *values.shape), generator=generator, dtype=values.dtype)\n"
        "    return (draws < values).to(values.dtype)\n"
    ),
    "decoding": (
        "def rate_decode(spikes):\n    count = spikes.sum(0)\n"
        "    return torch.where(count.amax(-1) > 0, count.argmax(-1), -1)\n\n"
        "def latency_decode(spikes):\n    fired = (spikes > 0).any(0)\n"
        "    first = torch.where(fired, (spikes > 0).to(torch.uint8).argmax(0), len(spikes))\n"
        "    return torch.where(fired.any(-1), first.argmin(-1), -1)\n"
    ),
    "lif": (
        "def lif_step(v, x, decay, threshold, reset):\n    charge = decay * v + x\n"
        "    spike = (charge >= threshold).to(charge.dtype)\n"
        "    return (spike, charge - spike * threshold) if reset == 'soft' else (spike, charge * (1 - spike))\n\n"
        "def run(currents, decay, threshold, reset, v0=0.0):\n    v = torch.full_like(currents[0], v0)\n"
        "    spikes, potentials = [], []\n    for x in currents:\n        spike, v = lif_step(v, x, decay, threshold, reset)\n"
        "        spikes.append(spike)\n        potentials.append(v)\n    return torch.stack(spikes), torch.stack(potentials)\n"
    ),
}
COUNT, SILENCE, SHARES = "spike_count", "longest_silence", "shares"
RATE, DECODING, LIF = "rate_code", "decoding", "lif"


@dataclass(frozen=True)
class Habit:
    """Cells written for a question. Where points are lost, ``told`` stands in what is said and ``why`` is the reason."""

    question: str
    cells: tuple[str, ...]
    told: str = ""
    why: str = ""


def within(code: str, question: str = COUNT) -> Habit:
    """Code at the head of an answer cell, so that an error of it would cost the answer."""
    return Habit(question, (f"{code}\n{RIGHT[question]}",))


def below(code: str, question: str = COUNT) -> Habit:
    """Code at the end of an answer cell."""
    return Habit(question, (f"{RIGHT[question]}\n{code}",))


def before(*cells: str, question: str = COUNT) -> Habit:
    """Cells of one's own, and then the answer."""
    return Habit(question, (*cells, RIGHT[question]))


def after(*cells: str, question: str = COUNT) -> Habit:
    """The answer, and then cells of one's own."""
    return Habit(question, (RIGHT[question], *cells))


def answer(source: str, question: str = COUNT) -> Habit:
    """Another way to write an answer."""
    return Habit(question, (source,))


def loses(habit: Habit, told: str, why: str) -> Habit:
    """A habit that costs points."""
    return Habit(habit.question, habit.cells, told, why)
