"""The surrogate explorer against ``snnkit.surrogate``."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from snnkit import surrogate

SCRIPT = Path(__file__).resolve().parents[2] / "book" / "_static" / "figures" / "surrogate.js"
NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")


def _run(program: str) -> object:
    head = f"const figure = require({json.dumps(str(SCRIPT))});\n"
    found = subprocess.run([str(NODE), "-e", head + program], check=True, capture_output=True, text=True)
    return json.loads(found.stdout)


@pytest.fixture(scope="module")
def found() -> dict[str, object]:
    generator = torch.Generator().manual_seed(11)
    widths = (0.2 + 1.3 * torch.rand(20, generator=generator, dtype=torch.float64)).tolist()
    xs = (4 * torch.rand(300, generator=generator, dtype=torch.float64) - 2).tolist()
    program = f"""
const widths = {json.dumps(widths)}, xs = {json.dumps(xs)}, result = {{}};
for (const name of Object.keys(figure.SHAPES)) {{
  result[name] = widths.map((w) => {{
    const alpha = figure.SHAPES[name].alpha(w);
    return {{ w, alpha, slopes: xs.map((x) => figure.derivative(name, x, alpha)), share: figure.zeroShare(name, alpha, xs) }};
  }});
}}
console.log(JSON.stringify({{ xs, result }}));
"""
    answer = _run(program)
    assert isinstance(answer, dict)
    return answer


@pytest.mark.parametrize("name", ["Rectangle", "PiecewiseQuadratic", "Sine", "Sigmoid", "ATan"])
def test_slopes_and_shares_are_those_of_the_library(found, name):
    x = torch.tensor(found["xs"], dtype=torch.float64)
    for case in found["result"][name]:
        family = surrogate.FAMILIES[name](alpha=case["alpha"])
        expected = family.derivative(x)
        assert case["slopes"] == pytest.approx(expected.tolist(), rel=1e-10, abs=1e-12)
        assert case["share"] == surrogate.zero_gradient_share(family, x)


@pytest.mark.parametrize("name", ["Rectangle", "PiecewiseQuadratic", "Sine", "Sigmoid", "ATan"])
def test_width_is_where_the_slope_ends_or_is_halved(found, name):
    for case in found["result"][name]:
        family = surrogate.FAMILIES[name](alpha=case["alpha"])
        peak, inside, outside = (
            float(family.derivative(torch.tensor(x, dtype=torch.float64)))
            for x in (0.0, 0.999 * case["w"], 1.001 * case["w"])
        )
        if name in ("Sigmoid", "ATan"):
            assert outside < peak / 2 < inside
        else:
            assert outside == 0 < inside


def test_population_has_the_stated_mean_and_spread():
    xs = torch.tensor(_run("console.log(JSON.stringify(figure.population(-0.6, 0.2, 2001)))"))
    assert float(xs.mean()) == pytest.approx(-0.6, abs=1e-6)
    assert float(xs.std()) == pytest.approx(0.2 * math.pi / math.sqrt(3), rel=0.01)  # of a logistic curve
    assert bool((xs.diff() > 0).all())
