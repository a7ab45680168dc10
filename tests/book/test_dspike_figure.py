"""The figure of Dspike's temperature against ``snnkit.surrogate.Dspike``."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from snnkit import surrogate

SCRIPT = Path(__file__).resolve().parents[2] / "book" / "_static" / "figures" / "dspike.js"
NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")
FINE = (torch.arange(400_000, dtype=torch.float64) + 0.5) / 100_000 - 2  # midpoints of cells on [-2, 2]


def _draw(low: float, high: float, count: int, generator: torch.Generator) -> list[float]:
    return (low + (high - low) * torch.rand(count, generator=generator, dtype=torch.float64)).tolist()


@pytest.fixture(scope="module")
def cases() -> list[dict[str, object]]:
    generator = torch.Generator().manual_seed(5)
    potentials = [*_draw(-0.5, 2.5, 200, generator), 0.0, 1.0, 2.0]
    settings = [
        {"b": b, "threshold": threshold}
        for b, threshold in zip(
            [*_draw(0.1, 20, 30, generator), 3.0],
            [*_draw(0.25, 1, 30, generator), 0.5],
            strict=True,
        )
    ]
    program = f"""
const figure = require({json.dumps(str(SCRIPT))}), potentials = {json.dumps(potentials)};
console.log(JSON.stringify({json.dumps(settings)}.map((set) => ({{ ...set, potentials,
  values: potentials.map((v) => figure.value(v, set)), slopes: potentials.map((v) => figure.slope(v, set)),
  far: [-400, 400].map((v) => figure.value(v, {{ ...set, window: false }})),
  bare: potentials.map((v) => figure.slope(v, {{ ...set, window: false }})),
  share: figure.heardShare(set.b), area: figure.area(set), without: figure.area({{ ...set, window: false }}) }}))));
"""
    found = subprocess.run([str(NODE), "-e", program], check=True, capture_output=True, text=True)
    answer = json.loads(found.stdout)
    assert isinstance(answer, list)
    return answer


def test_values_and_slopes_are_those_of_the_library(cases):
    for case in cases:
        family, width = surrogate.Dspike(case["b"]), 2 * case["threshold"]
        x = torch.tensor(case["potentials"], dtype=torch.float64) / width - 0.5
        assert case["values"] == pytest.approx(family.primitive(x).tolist(), abs=1e-12)
        assert case["slopes"] == pytest.approx((family.derivative(x) / width).tolist(), abs=1e-12)
        inside = x.abs() <= 0.5
        assert torch.tensor(case["bare"])[inside].tolist() == pytest.approx(
            torch.tensor(case["slopes"])[inside].tolist()
        )
        assert bool((torch.tensor(case["bare"])[~inside] > 0).all())


def test_share_and_areas_are_what_sums_over_the_library_give(cases):
    for case in cases:
        slope = surrogate.Dspike(case["b"]).derivative(FINE)
        assert case["area"] == pytest.approx(float(slope.mean() * 4), abs=1e-4)
        window = slope[FINE.abs() <= 0.5]
        peak = float(surrogate.Dspike(case["b"]).derivative(torch.zeros(1, dtype=torch.float64)))
        assert case["share"] == pytest.approx(float((window > peak / 2).double().mean()), abs=1e-4)
        assert case["far"][1] - case["far"][0] == pytest.approx(case["without"])
        assert case["without"] == pytest.approx(1 / math.tanh(case["b"] / 2))
