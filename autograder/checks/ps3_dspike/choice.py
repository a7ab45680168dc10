"""The candidates for a temperature, and the choice among them."""

import math

import numpy as np

from autograder.question import Case, Group, Question, Slip, Tolerance, call


def first_of_best(b, found, similarities):
    best, highest = b, -math.inf
    for one, similarity in zip(found, similarities, strict=True):
        if similarity > highest:
            best, highest = one, similarity
    return best


def last_of_best(b, found, similarities):
    best, highest = b, -math.inf
    for one, similarity in zip(found, similarities, strict=True):
        if similarity >= highest:
            best, highest = one, similarity
    return best


def nan_is_largest(b, found, similarities):
    return found[int(np.argmax(similarities))]


def unbounded(b, change, minimum):
    return [b, b - change, b + change]


def three(b, change, minimum):
    return [b, *(max(one, minimum) for one in unbounded(b, change, minimum)[1:])]


def answer(candidates=three, of=lambda similarity: similarity, best=first_of_best):
    """The right answer, and those that go wrong in one of their parts."""

    def choose(b, change, minimum, similarity_at):
        found = candidates(b, change, minimum)
        return best(b, found, [of(similarity_at(one)) for one in found])

    return {"candidates": candidates, "choose_temperature": choose}


def chosen(answer, b, change, minimum, table, similarities):
    """The choice by similarities that stand in a table."""

    def similarity_at(b):
        nearest = min(range(len(table)), key=lambda at: abs(float(table[at]) - float(b)))
        return float(similarities[nearest])

    return {"b": answer["choose_temperature"](b, change, minimum, similarity_at)}


def cases(rng):
    for b, change, minimum in ((3.0, 0.5, 0.1), (0.4, 0.5, 0.1), (1.0, 1.0, 0.2), (0.1, 0.25, 0.1)):
        label = f"b = {b:g}, change {change:g}, minimum {minimum:g}"
        yield Case("candidates", label, call("candidates", b, change, minimum))

    def choose(group, label, b, change, similarities, minimum=0.1):
        """Similarities of b, b - change, b + change; below the minimum stands what must not be asked for."""
        table, values = [b, b - change, b + change], list(similarities)
        if b - change < minimum:
            table.append(minimum)
            values.append(0.5 * min(values[0], values[2]))
        asked = {"b": b, "change": change, "minimum": minimum}
        asked |= {"table": np.array(table), "similarities": np.array(values)}
        return Case(group, label, call(chosen, **asked))

    high, middle, low = (
        float(np.round(one, 3)) for one in (rng.uniform(0.7, 0.9), 0.5, rng.uniform(0.1, 0.3))
    )
    yield choose("choose", "the present temperature is best", 3.125, 0.5, [high, middle, low])
    yield choose("choose", "the lower one is best", 3.125, 0.5, [middle, high, low])
    yield choose("choose", "the higher one is best", 3.125, 0.5, [middle, low, high])
    yield choose("choose", "one points the opposite way", 4.0, 1.0, [low, middle, -high])
    yield choose("choose", "all point the opposite way", 4.0, 1.0, [-middle, -low, -high])
    yield choose("choose", "the lower one would not be positive", 0.4, 0.5, [middle, high, low])
    yield choose("edges", "two are equal", 3.125, 0.5, [middle, high, high])
    yield choose("edges", "all are equal", 3.125, 0.5, [high, high, high])
    yield choose("edges", "nan at the present temperature", 2.0, 0.5, [math.nan, low, high])
    yield choose("edges", "nan at another temperature", 2.0, 0.5, [low, math.nan, high])
    yield choose("edges", "all nan", 2.0, 0.5, [math.nan, math.nan, math.nan])


QUESTION = Question(
    "ps3.choice",
    "Choosing the temperature",
    (
        Group("candidates", 1.0, "`candidates`: three temperatures, none too small"),
        Group("choose", 1.5, "`choose_temperature`: the largest similarity wins"),
        Group("edges", 0.5, "`choose_temperature`: equal similarities and nan"),
    ),
    cases,
    answer(),
    tensors=False,
    within=Tolerance(1e-09, 1e-12, "one sum in double precision"),
    slips=(
        Slip(
            "minimum_forgotten",
            "A candidate is below the minimum, here even below 0, where there is no Dspike. Replace it by "
            "`minimum`.",
            answer(unbounded),
        ),
        Slip(
            "candidates_dropped",
            "A candidate below the minimum is left out. It is replaced by `minimum`, so there are always "
            "three.",
            answer(
                lambda b, change, minimum: [one for one in unbounded(b, change, minimum) if one >= minimum]
            ),
        ),
        Slip(
            "order_changed",
            "The order is another one. It decides between equals: b itself comes first, then b - change, "
            "then b + change.",
            answer(lambda b, change, minimum: sorted(three(b, change, minimum))),
        ),
        Slip(
            "sign_ignored",
            "A gradient that points the opposite way wins here. Compare the similarities with their signs.",
            answer(of=abs),
        ),
        Slip(
            "smallest_wins",
            "This is the candidate with the smallest similarity. A similarity is large where gradients are "
            "alike.",
            answer(of=lambda similarity: -similarity),
        ),
        Slip(
            "last_of_equals",
            "Of equal candidates the last one wins. The question asks for the first: b stays unless another "
            "one is better.",
            answer(best=last_of_best),
        ),
        Slip(
            "nan_wins",
            "A candidate wins whose similarity is nan. An argmax takes nan for the largest number, and `max` "
            "keeps a nan that comes first, because every comparison with nan is false. Leave it out before "
            "you compare.",
            answer(best=nan_is_largest),
        ),
    ),
    hints=(
        "Which temperatures may be compared? Then it is a search for a maximum; what does a comparison "
        "with nan give?",
        "`max(b - change, minimum)` is never below the minimum. Go through the candidates in order and "
        "keep the best so far, starting from `b` with the similarity minus infinity.",
        "`best, highest = b, -math.inf`, then for each candidate: `if similarity_at(one) > highest:` "
        "take it. `math.nan > highest` is False, and `>` (not `>=`) keeps the first of equals.",
    ),
    withheld=("snnkit.dspike.choose_temperature", "snnkit.dspike.TemperatureController"),
)
