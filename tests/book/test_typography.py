"""Numbers in the text of the site: a minus sign, powers of ten, and code as it was."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "book" / "_ext"))

from typography import printed


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("from -0.58 to 1.58", "from −0.58 to 1.58"),
        ("(-1, -2)", "(−1, −2)"),
        ("3e-13 mV", "3\u00a0×\u00a010⁻¹³ mV"),
        ("-2e+05", "−2\u00a0×\u00a010⁵"),
        (
            "ResNet-20, 2026-01-05, ps0-1, 12-15, x-1, [1]-2",
            "ResNet-20, 2026-01-05, ps0-1, 12-15, x-1, [1]-2",
        ),
        ("the 1er, e-13, 7a12e45", "the 1er, e-13, 7a12e45"),
    ],
)
def test_numbers_as_they_are_printed(typed, shown):
    assert printed(typed) == shown
    assert printed(shown) == shown
