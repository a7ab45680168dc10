"""Fingerprints: what leaves them as they are, what they must find, and that chance finds nothing."""

from __future__ import annotations

import json
import random
import time

from hypothesis import given
from hypothesis import strategies as st

from autograder.course import exercise_of
from autograder.proof import samples
from autograder.report import similar as module
from autograder.report.similar import GRAM, WINDOW, fingerprints, similar, tokens

PS = "ps2_surrogates"

ORIGINAL = '''
def spikes(current, decay=0.9):
    """Simulate one neuron."""
    charge = torch.zeros_like(current[0])
    found = []
    for step in current:  # time first
        charge = decay * charge + step
        fired = (charge >= 1.0).float()
        charge = charge - fired
        found.append(fired)
    return torch.stack(found)
'''
RENAMED = """
def run(i, d = 0.9):
    u = torch.zeros_like( i[0] )

    out = [ ]
    for t in i:
        u = d * u + t
        s = (u >=
             1.0).float()
        u = u - s     # reset
        out.append( s )
    return torch.stack(out)
"""


def test_names_layout_comments_and_docstrings_do_not_count():
    assert tokens(ORIGINAL) == tokens(RENAMED)
    assert tokens("a = 'x'; b = f\"{y}\"") == tokens("q = '''z'''; r = 'w'")
    assert tokens("torch.cos(x)") != tokens("torch.sin(x)")
    assert tokens("self.weight") == tokens("self.w")
    assert tokens("x == 1") == ["name", "==", "1"]


def test_strings_in_one_long_line_take_no_time():
    """0.2 s; the square of their number takes minutes."""
    begun = time.process_time()
    assert tokens("x = [" + "'a', " * 300_000 + "]").count("string") == 300_000
    assert time.process_time() - begun < 10


@given(st.text())
def test_any_text_has_tokens(text):
    assert all(tokens(text))
    assert fingerprints(text) == fingerprints(text)


numbers = st.lists(st.integers(0, 10**6), max_size=60)


@given(numbers, numbers, st.lists(st.integers(0, 10**6), min_size=GRAM + WINDOW - 1, max_size=60))
def test_a_long_enough_common_passage_is_always_found(before, other, shared):
    """The guarantee of winnowing, for random tokens around a passage of at least GRAM + WINDOW - 1 tokens."""
    first = " ".join(map(str, [*before, *shared, *other]))
    second = " ".join(map(str, [*other, *shared, *before]))
    assert fingerprints(first) & fingerprints(second)


def test_short_code_has_no_fingerprints():
    assert fingerprints("a = b + c") == frozenset()
    assert fingerprints("") == frozenset()


def notebook(*sources):
    cells = [
        {"cell_type": "code", "source": source, "metadata": {"nbgrader": {"grade_id": f"c{at}"}}}
        for at, source in enumerate(sources)
    ]
    return json.dumps({"nbformat": 4, "cells": cells}).encode()


def own_work(seed, lines=30):
    rng = random.Random(seed)
    return "\n".join(
        f"v{at} = module.f{rng.randrange(500)}(v{at - 1}, {rng.randrange(500)}) - {rng.randrange(500)}"
        for at in range(lines)
    )


def test_what_was_handed_out_does_not_count():
    scaffold = own_work(0)
    released = notebook(scaffold, "raise NotImplementedError")
    assert similar({"a": released, "b": released}, released) == []
    books = {
        name: notebook(scaffold, scaffold + "\n" + own_work(seed)) for name, seed in (("a", 1), ("b", 2))
    }
    assert similar(books, released) == []


def test_a_copy_is_found_with_its_cells_and_a_group_is_not():
    released = notebook("pass", "pass")
    books = {
        "ada": notebook(own_work(1), own_work(2)),
        "bo": notebook(own_work(1).replace("v", "w"), own_work(2) + "\n" + own_work(9, 5)),
        "cy": notebook(own_work(3), own_work(4)),
        "di": b"broken",
    }
    (pair,) = similar(books, released)
    assert (pair.first, pair.second) == ("ada", "bo")
    assert pair.share > 0.9
    assert [name for name, _ in pair.cells] == ["c0", "c1"]
    assert similar(books, released, together=[frozenset({"ada", "bo"})]) == []
    assert len(similar(books, released, together=[frozenset({"ada", "cy"})])) == 1


def test_a_passage_that_many_share_counts_for_nobody_but_identical_work_is_told():
    released = notebook("pass")
    common = own_work(0)
    books = {f"s{at:02}": notebook(common + "\n" + own_work(at + 1, 8)) for at in range(20)}
    assert similar(books, released) == []
    ring = {f"r{at:02}": notebook(own_work(77)) for at in range(20)}
    assert len(similar({**books, **ring}, released)) == 19


def test_samples_derived_from_the_solution_are_near_it_and_another_hand_is_not(root):
    released = exercise_of(root, PS).read_bytes()
    books = {
        name: samples.build(root, PS, samples.sample(root, PS, name), released)
        for name in ("solution", "second_correct", "sharpness_for_width", "untouched")
    }
    pairs = {(pair.first, pair.second): pair.share for pair in similar(books, released, share=0.0, least=1)}
    assert pairs["sharpness_for_width", "solution"] > 0.7
    assert pairs.get(("second_correct", "solution"), 0.0) < 0.2
    assert not any("untouched" in pair for pair in pairs)


def test_a_large_class_is_compared_through_an_index(monkeypatch):
    """600 students with nothing in common: no pair is met, so the comparison of pairs is never asked for."""
    met = []
    monkeypatch.setattr(module, "_pair", lambda *pair: met.append(pair))
    books = {f"s{at:03}": notebook(own_work(at, 12)) for at in range(600)}
    assert similar(books, notebook("pass")) == []
    assert met == []
