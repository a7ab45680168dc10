"""STDP by pairs of spikes: the window, and the change by all pairs of two trains."""

import numpy as np

from autograder.question import Case, Group, Question, Slip, Tolerance, call

from .spike_trains import drawn_rule, spikes


def answer(
    *,
    turned=False,
    at_zero=lambda a_plus, a_minus: 0.0,
    taus=lambda plus, minus: (plus, minus),
    minus=-1,
    away=-1,
    in_steps=False,
    nearest=False,
    mean=False,
    mixed=False,
    transposed=False,
):
    """Both functions, with the ways in which they can go wrong."""

    def stdp_window(gap, a_plus, a_minus, tau_plus, tau_minus):
        gap = gap.astype(float) * (-1 if turned else 1)
        tau_plus, tau_minus = taus(tau_plus, tau_minus)
        later = a_plus * np.exp(away * np.abs(gap) / tau_plus)
        earlier = minus * a_minus * np.exp(away * np.abs(gap) / tau_minus)
        return np.where(gap > 0, later, np.where(gap < 0, earlier, at_zero(a_plus, a_minus)))

    def pair_stdp(pre, post, a_plus, a_minus, tau_plus, tau_minus, dt):
        clock = np.arange(len(pre)) * (1.0 if in_steps else dt)
        gaps = clock[:, None] - clock
        window = stdp_window(gaps, a_plus, a_minus, tau_plus, tau_minus)
        if nearest:
            return nearest_only(pre, post, window)
        pairs = "tno,tu,umi->oi" if mixed else "tno,tu,uni->oi"
        change = np.einsum(pairs, post.astype(float), window, pre)
        change = change / (max(pre.shape[1], 1) if mean else 1)
        return change.T if transposed else change

    return {"stdp_window": stdp_window, "pair_stdp": pair_stdp}


def nearest_only(pre, post, window):
    """Each spike pairs with the last earlier one of the other side only."""
    change = np.zeros((post.shape[2], pre.shape[2]))
    for n, j, i in np.ndindex(pre.shape[1], post.shape[2], pre.shape[2]):
        sent, received = np.flatnonzero(pre[:, n, i]), np.flatnonzero(post[:, n, j])
        change[j, i] += sum(window[t, sent[sent < t].max()] for t in received if (sent < t).any())
        change[j, i] += sum(window[received[received < t].max(), t] for t in sent if (received < t).any())
    return change


def cases(rng):
    def window(group, label, gaps):
        asked = call("stdp_window", gaps, **drawn_rule(rng))
        return Case(group, label, asked, keeps_dtype=True, intact=group == "window")

    both = rng.permuted(np.concatenate([rng.uniform(1, 60, 8), -rng.uniform(1, 60, 8)]))
    batch = (rng.uniform(2, 40, (3, 4)) * rng.choice([-1, 1], (3, 4))).astype(np.float32)
    yield window("window", "gaps of both signs", both)
    yield window("window", "float32, [3, 4]", batch)
    yield window("window", "no gaps", np.zeros((0, 2)))
    yield window("coincident", "the window at 0", np.array([0.0, -0.0, 1.0, -1.0]))
    together = np.zeros((12, 1, 2))
    together[3, 0, 0] = together[7, 0, 1] = 1
    pair = call("pair_stdp", together, together[:, :, :1].copy(), dt=1.0, **drawn_rule(rng))
    yield Case("coincident", "trains with a coincident pair", pair)
    far = np.array([3000.0, -3000.0, 5.0, -5.0], dtype=np.float32)
    yield window("far", "spikes three seconds apart", far)
    for label, steps, n, inputs, outputs, dt, dtype in (
        ("one train each, dt = 1", 40, 1, 1, 1, 1.0, np.float64),
        ("4 patterns, 5 inputs, 3 outputs, dt = 1", 60, 4, 5, 3, 1.0, np.float64),
        ("2 patterns, dt = 0.5, float32", 50, 2, 4, 2, 0.5, np.float32),
        ("a single step", 1, 3, 2, 2, 1.0, np.float64),
    ):
        rule, chance = drawn_rule(rng), 0.25 if steps > 1 else 1.0
        trains = [spikes(rng, steps, n, neurons, chance, dtype) for neurons in (inputs, outputs)]
        yield Case("pairs" if steps > 1 else "coincident", label, call("pair_stdp", *trains, dt=dt, **rule))
    rule = drawn_rule(rng)
    silent = call("pair_stdp", np.zeros((20, 2, 3)), spikes(rng, 20, 2, 2, 0.3), dt=1.0, **rule)
    yield Case("pairs", "a silent sender", silent)


QUESTION = Question(
    "ps6.stdp_pairs",
    "STDP by pairs of spikes",
    (
        Group("window", 0.75, "`stdp_window`: both sides"),
        Group("coincident", 0.5, "spikes at the same time"),
        Group("far", 0.25, "`stdp_window`: spikes that are far apart"),
        Group("pairs", 1.5, "`pair_stdp`: every pair, all times and patterns"),
    ),
    cases,
    answer(),
    gives={"stdp_window": ("window",), "pair_stdp": ("change",)},
    within=Tolerance(1e-4, 1e-4, "float32 sums of some hundred pairs of the size 1"),
    slips=(
        Slip(
            "order_turned",
            "The order of the spikes is turned: causes are weakened and accidents strengthened. The gap is "
            "t_post - t_pre, and a sender that fired first (gap > 0) is strengthened.",
            answer(turned=True),
        ),
        Slip(
            "coincidence_strengthens",
            "Spikes at the same time count as potentiation here. At gap 0 neither can have caused the "
            "other, and the weight stays: compare with `>`, not with `>=`.",
            answer(at_zero=lambda a_plus, a_minus: a_plus),
        ),
        Slip(
            "coincidence_weakens",
            "Spikes at the same time count as depression here, because they fall into the other branch. At "
            "gap 0 the weight stays: there are three cases.",
            answer(at_zero=lambda a_plus, a_minus: -a_minus),
        ),
        Slip(
            "one_time_constant",
            "Both sides decay with tau_plus. Depression has a time constant of its own, tau_minus.",
            answer(taus=lambda plus, minus: (plus, plus)),
        ),
        Slip(
            "time_constants_exchanged",
            "The time constants are exchanged: tau_plus belongs to gaps above 0.",
            answer(taus=lambda plus, minus: (minus, plus)),
        ),
        Slip(
            "minus_missing",
            "A receiver that fired first strengthens the weight as well. a_minus is a size, not negative: "
            "the minus is in the rule.",
            answer(minus=1),
        ),
        Slip(
            "growing",
            "The change grows with the distance of the spikes. Both exponents are negative: -gap/tau_plus "
            "for gap > 0 and +gap/tau_minus for gap < 0.",
            answer(away=1),
        ),
        Slip(
            "gap_in_steps",
            "The gap is counted in steps. The time constants have the unit of `dt`: multiply the "
            "difference of the steps by it.",
            answer(in_steps=True),
        ),
        Slip(
            "nearest_only",
            "Each spike pairs with its nearest neighbour only. The question asks for all pairs.",
            answer(nearest=True),
        ),
        Slip(
            "mean_over_patterns",
            "This is the mean over the patterns. The question asks for the sum over times and patterns.",
            answer(mean=True),
        ),
        Slip(
            "patterns_mixed",
            "Spikes of one pattern pair with those of all others. Both trains have the same letter for the pattern in "
            "`einsum`, and the sum over it comes last.",
            answer(mixed=True),
        ),
        Slip(
            "transposed",
            "The change is turned on its side: it has the shape [outputs, inputs] of the weights.",
            answer(transposed=True),
        ),
        Slip(
            "far_overflows",
            "An exponential of a large positive number is infinite, and infinity times 0 is nan. Bound the "
            "gap before the exponential, `gap.clamp(min=0)` and `gap.clamp(max=0)`, and choose with "
            "`torch.where`.",
            seen=lambda got, asked: any(not np.isfinite(array).all() for array in got.values()),
        ),
    ),
    hints=(
        "Which sign has the gap when the sender fires first? What is the change for gap = 0? For two "
        "trains of T steps, how many gaps are there?",
        "Three cases: a_plus exp(-gap/tau_plus), -a_minus exp(gap/tau_minus) and 0. The matrix of all "
        "gaps, [T, T], is the difference of the post and pre times; the change is a sum over both times "
        "and the patterns.",
        "`clock = dt * torch.arange(len(pre), dtype=pre.dtype)`, `window = stdp_window(clock[:, None] - "
        "clock[None, :], ...)`, then `torch.einsum('tno,tu,uni->oi', post, window, pre)`.",
    ),
    withheld=(
        "snnkit.plasticity.STDP",
        "snnkit.plasticity.all_to_all",
        "snnkit.plasticity.nearest_neighbour",
        "snnkit.plasticity.online",
        "snnkit.plasticity.online_step",
    ),
)
