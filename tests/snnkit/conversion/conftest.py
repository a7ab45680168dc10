"""A converted network with every kind of part, made once."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from snnkit.conversion import InitialPotential, Maximum, SpikingNetwork, convert, set_thresholds
from tests.snnkit.conversion.networks import Everything, seeded


@pytest.fixture(scope="session")
def everything() -> tuple[nn.Module, SpikingNetwork, Tensor]:
    torch.manual_seed(0)
    model = seeded(Everything()).train()
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.momentum = 1.0
    x = torch.rand(5, 2, 8, 8)
    model(torch.cat([x, torch.rand(40, 2, 8, 8)]))  # statistics that fit, so that no layer is silent
    network = convert(model.eval())
    set_thresholds(network, x, Maximum(), InitialPotential(), progress=False)
    assert network(x, 4).std(dim=0).min() > 1e-3  # the images matter
    return model, network, x
