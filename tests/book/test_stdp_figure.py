"""The interactive STDP window against the library, for random parameters."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from snnkit.plasticity import STDP

SCRIPT = Path(__file__).resolve().parents[2] / "book" / "_static" / "figures" / "stdp.js"
NODE = shutil.which("node")
NAMES = {"a_plus": "aPlus", "a_minus": "aMinus", "tau_plus": "tauPlus", "tau_minus": "tauMinus"}


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_interactive_window_computes_what_the_library_computes(tmp_path: Path) -> None:
    assert NODE is not None
    draws = torch.rand(60, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    scaled = draws * torch.tensor([2, 2, 39, 39]) + torch.tensor([0, 0, 1, 1])
    rules = [STDP(*row) for row in scaled.tolist()]
    gaps = [*range(-80, 81, 5), -0.5, 0.5]
    sets = [{NAMES[name]: value for name, value in asdict(rule).items() if name in NAMES} for rule in rules]
    script = tmp_path / "run.cjs"
    script.write_text(
        f"const {{ change, drift }} = require({json.dumps(str(SCRIPT))});\n"
        f"const gaps = {json.dumps(gaps)}, sets = {json.dumps(sets)};\n"
        "console.log(JSON.stringify(sets.map((s) => [gaps.map((g) => change(g, s)), drift(s)])));\n"
    )
    found = json.loads(subprocess.run([NODE, str(script)], check=True, capture_output=True, text=True).stdout)
    every = torch.arange(-4000, 4001, dtype=torch.float64)
    for rule, (changes, drift) in zip(rules, found, strict=True):
        assert changes == pytest.approx(rule(torch.tensor(gaps, dtype=torch.float64)).tolist(), abs=1e-12)
        assert drift == pytest.approx(rule(every).sum().item(), abs=1e-9)
