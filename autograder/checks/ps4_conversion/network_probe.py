"""Runs beside the student's code: the network of the problem set, converted."""

import torch


class Block(torch.nn.Module):
    """Convolution without bias, BatchNorm, ReLU, with tensors that were trained before."""

    def __init__(self, weight, norm, stride):
        super().__init__()
        outputs, inputs = weight.shape[:2]
        self.conv = torch.nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm = torch.nn.BatchNorm2d(outputs)
        self.conv.load_state_dict({"weight": weight})
        self.norm.load_state_dict(norm, strict=False)

    def forward(self, x):
        return torch.relu(self.norm(self.conv(x)))


def converted(answer, blocks, readout, images, steps, largest):
    """Plain tensors of the three layers that the answer makes of a trained network."""
    last = torch.nn.Linear(64, 10)
    last.load_state_dict(dict(zip(("weight", "bias"), readout, strict=True)))
    model = torch.nn.Sequential(*(Block(**block) for block in blocks), torch.nn.Flatten(), last)
    model.eval().requires_grad_(False)
    state = [value.clone() for value in model.state_dict().values()]
    layers = answer["convert"](model, images.clone(), steps)
    if len(layers) != 3:
        raise ValueError(f"`convert` gave {len(layers)} layers; expected 3")
    found = {
        f"{key} {index}": getattr(layer, key)
        for index, layer in enumerate(layers, start=1)
        for key in ("weight", "bias", "threshold", "initial")
    }
    darker = answer["convert"](model, images[:64] / 2, steps)
    kept = all(map(torch.equal, state, model.state_dict().values())) and not model.training
    return {**found, "darker threshold": darker[0].threshold, "model is what it was": kept}
