"""Two remedies, and what remedies cost."""

from functools import partial

import numpy as np

from autograder.question import Case, Group, Question, Slip, Tolerance, call

from .neurons import quarters, run


def signed(
    currents,
    threshold,
    v0,
    *,
    counted=True,
    net=True,
    raised=True,
    of_old=False,
    too_low=lambda charge, threshold: charge < 0,
):
    """Spikes of both signs, with the ways in which they go wrong."""
    v = np.full(currents.shape[1:], float(v0))
    count, sent = np.zeros_like(v), []
    for current in currents:
        charge = v + current
        back = too_low(v if of_old else charge, threshold) & ((count > 0) | (not counted))
        spike = (charge >= threshold).astype(float) - back
        v = charge - threshold * (spike if raised else np.maximum(spike, 0))
        count += spike if net else np.maximum(spike, 0)
        sent.append(spike)
    return np.array(sent)


def plain(currents, threshold, v0):
    return run(currents, threshold, v0)[0]


def waited(currents, threshold, v0, *, again=0.0, start=True):
    """Spikes after waiting; ``again`` times the current comes a second time."""
    collected = currents.sum(0) + (v0 if start else 0.0)
    return run(again * currents, threshold, collected)[0]


def at_once(currents, threshold, v0):
    first = np.clip(np.floor((currents.sum(0) + v0) / threshold), 0, len(currents))
    return np.concatenate([first[None], np.zeros_like(currents[1:])])


REMEDIES = ("none", "signed", "first pass", "waiting")


def latencies(answer, steps, layers):
    """Latency of each remedy."""
    names = ("none", "signed", "first pass", "waiting")
    return {name: answer["latency"](name, steps, layers) for name in names}


def answer(
    signed=signed,
    waiting=waited,
    first_pass=lambda steps, layers: 2 * steps,
    last=lambda steps, layers: layers * steps,
):
    """The right answer, and those that go wrong in one of their parts."""

    def alone(steps, layers):
        return steps

    rules = dict(zip(REMEDIES, (alone, alone, first_pass, last), strict=True))
    return {
        "signed_spikes": signed,
        "wait_then_fire": waiting,
        "latency": lambda remedy, steps, layers: rules[remedy](steps, layers),
    }


def cases(rng):
    given = [
        (f"T = 6, theta = {threshold:g}, v(0) = {v0:g}", quarters(rng, -2, 2.5, 6, 40), threshold, v0)
        for threshold, v0 in ((1.0, 0.5), (2.0, 1.0), (0.5, 0.0))
    ]
    given += [
        ("T = 1", quarters(rng, -1, 2, 1, 10), 1.0, 0.5),
        ("a batch [3, 4], float64", quarters(rng, -2, 2.5, 5, 3, 4).astype(np.float64), 1.0, 0.5),
        ("a potential of exactly 0", np.array([[1.5, -1, 1], [1, -1, 0]], "f4").T, 1.0, 0.0),
        ("no neurons", np.zeros((3, 0), np.float32), 1.0, 0.5),
    ]
    for group, name in (("signed", "signed_spikes"), ("waiting", "wait_then_fire")):
        for label, *asked in given:
            yield Case(group, label, call(name, *asked), intact=True)
    for steps, layers in ((8, 5), (4, 1), (16, int(rng.integers(6, 20)))):
        label = f"T = {steps}, {layers} layers"
        yield Case("latency", label, call(latencies, steps=steps, layers=layers))


QUESTION = Question(
    "ps5.remedies",
    "Two remedies, and what remedies cost",
    (
        Group("signed", 1.0, "signed spikes"),
        Group("waiting", 1.0, "wait, then fire"),
        Group("latency", 1.0, "time steps until the answer is known"),
    ),
    cases,
    answer(),
    gives={"signed_spikes": ("signed spikes",), "wait_then_fire": ("waiting spikes",)},
    within=Tolerance(0.0, 1e-06, "spikes and steps are whole numbers, and the currents multiples of 1/4"),
    slips=(
        Slip(
            "nothing_to_take_back",
            "A neuron with a count of 0 has nothing to take back: it must not send a negative spike, however "
            "low its potential.",
            answer(partial(signed, counted=False)),
        ),
        Slip(
            "whole_threshold_below",
            "This waits until the potential is a whole threshold below 0. Any potential below 0 says that "
            "one spike was too many.",
            answer(partial(signed, too_low=lambda charge, threshold: charge < -threshold)),
        ),
        Slip(
            "all_spikes_counted",
            "The count only rises. A negative spike takes one back, so it has to lower the count: compare the positive spikes "
            "with the negative ones.",
            answer(partial(signed, net=False)),
        ),
        Slip(
            "potential_not_raised",
            "The potential stays where it is when a negative spike is sent. It rises by theta then: v = m - s theta with s = -1.",
            answer(partial(signed, raised=False)),
        ),
        Slip(
            "old_potential_compared",
            "The potential before the current of this step is compared with 0. It is the charge, m(t) = v(t-1) + z(t), that "
            "decides.",
            answer(partial(signed, of_old=True)),
        ),
        Slip(
            "taken_back_at_zero",
            "A potential of exactly 0 is inside [0, theta): nothing has to be taken back.",
            answer(partial(signed, too_low=lambda charge, threshold: charge <= 0)),
        ),
        Slip(
            "did_not_wait",
            "These are the spikes of the plain neuron. Collect the whole input first, and fire afterwards.",
            answer(waiting=plain),
        ),
        Slip(
            "start_forgotten",
            "The starting potential v(0) belongs to the collected charge.",
            answer(waiting=partial(waited, start=False)),
        ),
        Slip(
            "all_at_once",
            "Several spikes are sent in one step. The neuron still sends at most one a step, over T steps.",
            answer(waiting=at_once),
        ),
        Slip(
            "input_twice",
            "The input is added a second time while the neuron fires. In the second phase its current is 0.",
            answer(waiting=partial(waited, again=1.0)),
        ),
        Slip(
            "waiting_for_nothing",
            "Waiting is counted as free. A layer can fire only when the one before it has finished, so each "
            "layer adds T steps.",
            answer(last=lambda steps, layers: steps),
        ),
        Slip(
            "first_layer_waits",
            "The first layer has a constant current and knows its sum at once: it does not wait.",
            answer(last=lambda steps, layers: (layers + 1) * steps),
        ),
        Slip(
            "first_pass_free",
            "The first pass is not counted. It needs this very input, so its T steps belong to the latency "
            "of every answer.",
            answer(first_pass=lambda steps, layers: steps),
        ),
    ),
    hints=(
        "Signed spikes are `fire` with one more case; keep a count beside the potential. For waiting: "
        "what does a neuron do that has its whole charge at the beginning and receives nothing more?",
        "Send -1 where the charge is below 0 **and** the count is positive; the potential then rises by "
        "theta. Waiting is `fire` with zero currents and a start at v(0) + sum of the currents. Waiting "
        "layers fire one after the other, T steps each, and the first need not wait.",
        "`spike = (charge >= threshold).to(charge) - ((charge < 0) & (count > 0)).to(charge)`; "
        '`fire(torch.zeros_like(currents), threshold, v0 + currents.sum(0))[0]`; and `{"none": steps, '
        '"signed": steps, "first pass": 2 * steps, "waiting": layers * steps}[remedy]`.',
    ),
    withheld=(
        "snnkit.conversion.remedies.SignedSpikes",
        "snnkit.conversion.remedies.wait_then_fire",
    ),
)
