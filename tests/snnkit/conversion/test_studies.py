"""The worked cases of the unevenness error, by hand."""

from __future__ import annotations

import pytest

from snnkit.conversion.studies import STUDIES, order_histogram
from snnkit.conversion.unevenness import Case

CASES = [
    ("A even", (1, 3), 0.4, 0.0, 0.4, Case.EVEN, 0),
    ("A excitation first", (1, 2, 3, 4), 0.8, -2.0, 0.4, Case.EXTRA, 2),
    ("A inhibition first", (5,), 0.2, 1.0, 0.4, Case.MISSING, -1),
    ("B three inputs", (1, 3, 4), 0.75, 1.5, 1.125, Case.MISSING, -1),
    ("B even", (1, 3, 4), 0.75, 0.0, 0.75, Case.EVEN, 0),
    ("B late", (3, 4), 0.5, 1.0, 0.75, Case.MISSING, -1),
    ("C", (2,), 0.25, -1.4, 0.0, Case.EXTRA, 1),
]


@pytest.mark.parametrize(("name", "times", "rate", "v_end", "target", "case", "excess"), CASES)
def test_worked_cases(
    name: str, times: tuple[int, ...], rate: float, v_end: float, target: float, case: Case, excess: int
) -> None:
    outcome = STUDIES[name].run()
    assert (outcome.times, outcome.case, outcome.excess) == (times, case, excess)
    assert outcome.rate == pytest.approx(rate, abs=1e-12)
    assert outcome.v_end == pytest.approx(v_end, abs=1e-12)
    assert outcome.target == pytest.approx(target, abs=1e-12)


def test_every_study_is_covered() -> None:
    assert sorted(STUDIES) == sorted(row[0] for row in CASES)


def test_order_histogram_checks_its_input() -> None:
    with pytest.raises(ValueError, match=r"first_spikes must lie in \[0, 5\]; got 6"):
        order_histogram(first_spikes=6)


@pytest.mark.parametrize("v0", [0.0, 0.5])
def test_all_ten_orders(v0: float) -> None:
    assert order_histogram(v0=v0) == {1: 2, 2: 5, 3: 2, 4: 1}
