"""What a recorded training has to be like: its order, its steps of Adam, and the losses that it returns."""

import math

import numpy as np

EPOCHS = 3
OPTIONS = {"learning_rate": 0.05, "batch": 16}
DEFAULTS = {"learning_rate": 3e-3, "batch": 64, "seed": 0}


def images(rng, count):
    """Logits [count, 10] and labels: one half of the images has small losses, the other half large ones.

    In batches of 16, 16 and 1 the mean of the batches' means is then never the mean over the images.
    """
    labels = rng.integers(0, 10, count)
    logits = np.zeros((count, 10), dtype=np.float32)
    logits[np.arange(count), labels] = rng.permuted(np.resize([3.0, -3.0], count))
    return {"logits": logits, "labels": labels}


def option(asked, name):
    return asked["options"].get(name, DEFAULTS[name])


def by_epoch(got, asked, name):
    """What was noted for each image learnt, [epochs, images]; None where the epochs are not whole."""
    count, epochs = len(asked["labels"]), asked["epochs"]
    return got[name].reshape(epochs, count) if got[name].size == epochs * count else None


def judge_order(got, asked):
    count, epochs, batch = len(asked["labels"]), asked["epochs"], option(asked, "batch")
    order = by_epoch(got, asked, "order")
    if order is None:
        said = f"in {epochs} epochs over {count} images, in batches of {batch}, the network learnt from"
        return f"{said} {got['order'].size} images; expected {epochs * count}, each image once in each epoch"
    for epoch, one in enumerate(order, start=1):
        often = np.bincount(one, minlength=count)
        if (often != 1).any():
            at = int(np.flatnonzero(often != 1)[0])
            return f"in epoch {epoch} image {at} was learnt from {often[at]} times; expected once"
    if len(got["sizes"]) != epochs * math.ceil(count / batch) or max(got["sizes"]) > batch:
        sizes = ", ".join(map(str, got["sizes"][: len(got["sizes"]) // epochs]))
        return f"the batches of an epoch over {count} images have the sizes {sizes}; expected {batch} and the rest"
    if (np.diff(order[0]) > 0).all():
        return "the images are shown in the order in which they were handed over; expected a random one"
    if any(np.array_equal(order[0], one) for one in order[1:]):
        return "every epoch shows the images in the same order; expected a new one for each"
    if not np.array_equal(got["order"], got["again"]):
        return "two trainings with the same seed show the images in different orders"
    if np.array_equal(got["order"], got["other seed"]):
        return "two trainings with different seeds show the images in the same order"
    return None if got["kept"] else "`train` wrote into the images or labels that it was given"


def last_dropped(got, asked):
    """Whether nothing but whole batches was learnt from."""
    count, batch = len(asked["labels"]), option(asked, "batch")
    return set(got["sizes"].tolist()) == {batch} and len(got["sizes"]) == asked["epochs"] * (count // batch)


def not_shuffled(got, asked):
    return bool((np.diff(by_epoch(got, asked, "order")) > 0).all())


def same_order(got, asked):
    order = by_epoch(got, asked, "order")
    return bool((order == order[0]).all()) and not not_shuffled(got, asked)


def other_order(got, asked):
    return got["order"].shape == got["again"].shape and not np.array_equal(got["order"], got["again"])


def seed_ignored(got, asked):
    same = np.array_equal(got["order"], got["other seed"]) and np.array_equal(got["order"], got["again"])
    return same and not not_shuffled(got, asked)


def adam(got, asked, *, rate=None, anew=False, piled=False):
    """Parameters after Adam with its usual constants on the gradients that were met, with ways to go wrong."""
    rate = option(asked, "learning_rate") if rate is None else rate
    gradients = got["gradients"].astype(np.float64)
    if piled:
        gradients = gradients.cumsum(0)
    theta = got["start"].astype(np.float64)
    mean, square, step = np.zeros_like(theta), np.zeros_like(theta), 0
    for at, gradient in enumerate(gradients):
        if anew and at % (len(gradients) // asked["epochs"]) == 0:
            mean, square, step = np.zeros_like(theta), np.zeros_like(theta), 0
        step += 1
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        slope = np.sqrt(square / (1 - 0.999**step)) + 1e-8
        theta = theta - rate * mean / (1 - 0.9**step) / slope
    return theta


def off(got, asked, **ways):
    """How far the parameters are from those, in learning rates."""
    return float(np.abs(got["end"] - adam(got, asked, **ways)).max()) / option(asked, "learning_rate")


def like(**ways):
    """Whether the parameters are those of Adam gone wrong in this way, and not those of Adam."""
    return lambda got, asked: off(got, asked, **ways) < 0.02 <= off(got, asked)


def other_rate(got, asked):
    """Whether the steps are Adam's, of another learning rate."""
    way = adam(got, asked) - got["start"]
    rate = option(asked, "learning_rate") * float((got["end"] - got["start"]) @ way / (way @ way))
    return like(rate=rate)(got, asked)


def judge_steps(got, asked):
    if not len(got["gradients"]):
        return "nothing was learnt: no gradient came back to the network"
    far = off(got, asked)
    if far < 0.02:
        return None
    return (
        f"after {len(got['gradients'])} batches a parameter is {far:.2g} learning rates away from where one Adam "
        "takes it, with the learning rate that was asked for, on the gradients of these batches"
    )


def wanted_losses(got, asked):
    """Mean loss over the images of each epoch; where epochs are not whole, over all that was learnt from."""
    learnt = by_epoch(got, asked, "learnt")
    if learnt is not None:
        return learnt.mean(1)
    return np.full(asked["epochs"], got["learnt"].mean() if got["learnt"].size else np.nan)


def right_losses(got, asked):
    return np.allclose(got["losses"], wanted_losses(got, asked), rtol=1e-3)


def on_the_graph(got, asked):
    return right_losses(got, asked) and bool(got["on the graph"])


def judge_losses(got, asked):
    losses, epochs = got["losses"], asked["epochs"]
    if losses.shape != (epochs,):
        return f"`train` returned losses of shape {list(losses.shape)}; expected one number for each of {epochs} epochs"
    wanted = wanted_losses(got, asked)
    if not right_losses(got, asked):
        at = int(np.flatnonzero(~np.isclose(losses, wanted, rtol=1e-3))[0])
        return (
            f"the loss of epoch {at + 1} is {losses[at]:.5g}; the images that were learnt from in it, each counted "
            f"once, had the mean loss {wanted[at]:.5g}"
        )
    if on_the_graph(got, asked):
        return "the losses are tensors that still hold the graph of the training; expected numbers"
    return None


def instead_of_losses(seen):
    """Whether something else came back in the place of right losses."""
    return lambda got, asked: judge_losses(got, asked) is not None and bool(seen(got, asked))


def batches(got, asked):
    """Sum of the losses and size of each batch, [epochs, batches]."""
    ends = np.cumsum(got["sizes"])[:-1]
    sums = [part.sum() for part in np.split(got["learnt"], ends)]
    return np.reshape(sums, (asked["epochs"], -1)), np.reshape(got["sizes"], (asked["epochs"], -1))


def mean_of_means(got, asked):
    sums, sizes = batches(got, asked)
    return np.allclose(got["losses"], (sums / sizes).mean(1), rtol=1e-3)


def last_batch(got, asked):
    sums, sizes = batches(got, asked)
    return np.allclose(got["losses"], (sums / sizes)[:, -1], rtol=1e-3)


def summed(got, asked):
    """Summed over the images, or the means of the batches summed."""
    sums, sizes = batches(got, asked)
    return any(np.allclose(got["losses"], one.sum(1), rtol=1e-3) for one in (sums, sums / sizes))


def after_the_epoch(got, asked):
    return np.allclose(got["losses"], got["after"], rtol=1e-3)


def one_for_each_batch(got, asked):
    return got["losses"].ndim == 1 and got["losses"].size == len(got["sizes"]) > asked["epochs"]
