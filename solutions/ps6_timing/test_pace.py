"""Loops over patterns and neurons are right and told to be slow; the reference and the second right answer are not."""

from __future__ import annotations

import math
from functools import cache

import pytest
import torch
from torch.nn import functional as F

from autograder.catalogue import OWN, Catalogue
from autograder.judging import run
from autograder.proof.samples import reference, sample, sources

QUESTIONS = Catalogue(OWN).questions("ps6_timing")

LOOPS = """
def firing_time(weight, inputs, tau, threshold=1.0, *, window, dt):
    found = torch.full((len(inputs), len(weight)), math.inf, dtype=weight.dtype)
    for n, sent in enumerate(inputs):
        for j, row in enumerate(weight):
            for step in range(round(window / dt) + 1):
                if (row * kernel(step * dt - sent, tau)).sum() < threshold:
                    continue
                low, high = max(step - 1, 0) * dt, step * dt
                for _ in range(25):
                    middle = (low + high) / 2
                    above = (row * kernel(middle - sent, tau)).sum() >= threshold
                    low, high = (low, middle) if above else (middle, high)
                found[n, j] = high
                break
    return found


def firing_gradients(weight, inputs, times, tau, min_slope):
    by_weight = torch.zeros(len(inputs), *weight.shape, dtype=weight.dtype)
    by_inputs = torch.zeros_like(by_weight)
    for n, sent in enumerate(inputs):
        for j, row in enumerate(weight):
            if torch.isinf(times[n, j]):
                continue
            pull = row * kernel_slope(times[n, j] - sent, tau)
            slope = max(pull.sum(), min_slope)
            for i in range(len(sent)):
                by_weight[n, j, i] = -kernel(times[n, j] - sent[i], tau) / slope
                by_inputs[n, j, i] = pull[i] / slope
    return by_weight, by_inputs
"""


@cache
def asked(root, name, extra=""):
    """Outcome of the question of a sample; ``extra`` is run in the end."""
    names = {"math": math, "torch": torch, "F": F}
    found = reference(root, "ps6_timing")
    if name != "solution":
        found = sources(root, "ps6_timing", sample(root, "ps6_timing", name))
    for cell in ("response_answer", "firing_time_answer", "spikeprop_answer"):
        exec(found[cell], names)
    exec(extra, names)
    return {question: run(QUESTIONS[question], names) for question in ("firing_time", "spikeprop")}


@pytest.mark.parametrize("question", ["firing_time", "spikeprop"])
def test_loops_are_right_and_told_to_be_slow(root, question):
    result = asked(root, "solution", LOOPS)[question]
    assert result.score == result.points
    (said,) = result.remarks
    assert "times slower than the reference: the training on digits below will take some " in said


@pytest.mark.parametrize("name", ["solution", "second_correct"])
def test_answers_without_loops_are_fast_enough(root, name):
    for result in asked(root, name).values():
        assert (result.score, result.remarks) == (result.points, ())
