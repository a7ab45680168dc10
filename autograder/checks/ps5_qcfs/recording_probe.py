"""Runs beside the student's code: a network with one row of logits for each image, which notes down what it is shown."""

from typing import Any

import torch


class Recorder(torch.nn.Module):
    """Logits of images that are rows of the identity; in ``passes`` the images, their losses, and if they were learnt."""

    def __init__(self, logits, labels):
        super().__init__()
        self.logits = torch.nn.Parameter(logits.clone())
        self.clip = torch.nn.Parameter(torch.ones(()))
        self.labels = labels.clone()
        self.passes: list[dict[str, Any]] = []
        self.learnt: list[dict[str, Any]] = []
        for name in ("logits", "clip"):
            getattr(self, name).register_hook(lambda grad, name=name: self.note(name, grad))

    def note(self, name, grad):
        self.learnt[-1][name] = grad.clone()

    def forward(self, images):
        found = images @ self.logits * self.clip
        chosen = images.detach().argmax(1)
        losses = -found.detach().log_softmax(1)[torch.arange(len(chosen)), self.labels[chosen]]
        one = {"images": chosen, "losses": losses, "before": sum(len(each["images"]) for each in self.learnt)}
        self.passes.append(one)
        if found.requires_grad:
            found.register_hook(lambda grad: self.learnt.append(one))
        return found

    def values(self):
        return torch.cat([self.logits.detach().flatten(), self.clip.detach().flatten()])

    def after(self, count):
        """Mean loss of what was shown, but not learnt, when so many images had been learnt."""
        only_seen = [one for one in self.passes if not any(one is other for other in self.learnt)]
        losses = [one["losses"] for one in only_seen if one["before"] == count]
        return float(torch.cat(losses).mean()) if losses else float("nan")

    def order(self):
        parts = [one["images"] for one in self.learnt]
        return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.int64)

    def sizes(self):
        return [len(one["images"]) for one in self.learnt]


def trained(answer, logits, labels, epochs, options, elsewhere=1):
    """A network after a training, what came back, and whether the images and labels are what they were."""
    images = torch.eye(len(labels))
    given = images.clone(), labels.clone()
    network = Recorder(logits, labels)
    torch.manual_seed(elsewhere)
    losses = answer["train"](network, *given, epochs=epochs, **options)
    return network, losses, torch.equal(given[0], images) and torch.equal(given[1], labels)


def order(answer, logits, labels, epochs, options):
    """The images in the order in which they were learnt from; that of a second training, and that of another seed."""
    network, _, kept = trained(answer, logits, labels, epochs, options)
    again, *_ = trained(answer, logits, labels, epochs, options, elsewhere=2)
    other, *_ = trained(answer, logits, labels, epochs, {**options, "seed": options.get("seed", 0) + 1})
    return {
        "order": network.order(),
        "sizes": network.sizes(),
        "again": again.order(),
        "other seed": other.order(),
        "kept": kept,
    }


def steps(answer, logits, labels, epochs, options):
    """The parameters before and after a training, and the gradients of its batches."""
    start = Recorder(logits, labels).values()
    network, *_ = trained(answer, logits, labels, epochs, options)
    gradients = [torch.cat([one["logits"].flatten(), one["clip"].flatten()]) for one in network.learnt]
    found = torch.stack(gradients) if gradients else torch.zeros(0, len(start))
    return {"gradients": found, "start": start, "end": network.values()}


def losses(answer, logits, labels, epochs, options):
    """The losses that a training returns, and those of each image when it was learnt from."""
    network, found, _ = trained(answer, logits, labels, epochs, options)
    each = found if isinstance(found, (list, tuple)) else [found]
    learnt = [one["losses"] for one in network.learnt]
    return {
        "losses": found,
        "on the graph": any(isinstance(one, torch.Tensor) and one.requires_grad for one in each),
        "sizes": network.sizes(),
        "learnt": torch.cat(learnt) if learnt else torch.zeros(0),
        "after": [network.after((epoch + 1) * len(labels)) for epoch in range(epochs)],
    }
