"""Training: determinism, the loop against one written out, augmentation against a plain loop, real recordings."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from spikingjelly.activation_based import neuron
from torch import nn
from torch.nn import functional

from snnkit import datasets
from snnkit.layers import LIF
from snnkit.models import MeanOverTime, two_layer_event_snn, two_layer_snn
from snnkit.sparse import EventFrames, shift_events
from snnkit.training import (
    Batches,
    History,
    evaluate,
    fit,
    mse_to_one_hot,
    random_shift,
    reset_states,
    set_seed,
    split_indices,
)


def toy(samples: int = 48, steps: int = 4, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Event counts whose class is the half of the frame where most events are."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(samples) % 2
    rate = torch.full((samples, 1, 1, 4, 4), 0.5)
    rate[labels == 0, ..., :2] = 3.0
    rate[labels == 1, ..., 2:] = 3.0
    return torch.poisson(rate.expand(samples, steps, 1, 4, 4), generator=generator).to(torch.uint8), labels


def small() -> nn.Module:
    return two_layer_snn(16, 12, 2, dropout=0.0)


def test_set_seed_fixes_all_three_generators():
    def draw():
        generator = set_seed(5)
        return (
            random.random(),
            np.random.rand(),  # noqa: NPY002
            float(torch.rand(())),
            float(torch.rand((), generator=generator)),
        )

    assert draw() == draw()
    with pytest.raises(ValueError, match=r"\[0, 2\*\*32\); got -1"):
        set_seed(-1)


@given(st.integers(2, 200), st.floats(0.01, 0.99), st.integers(0, 100))
def test_split_is_a_partition_and_repeatable(count, share, seed):
    training, validation = split_indices(count, share, seed=seed)
    assert torch.equal(torch.cat([training, validation]).sort().values, torch.arange(count))
    assert len(validation) == min(count - 1, max(1, round(count * share)))
    assert torch.equal(split_indices(count, share, seed=seed)[1], validation)


@given(st.integers(0, 3), st.integers(0, 1000))
def test_random_shift_moves_whole_samples(pixels, seed):
    frames = torch.rand(2, 5, 3, 4, 6, generator=torch.Generator().manual_seed(seed))
    before = frames.clone()
    shifted = random_shift(frames, pixels, torch.Generator().manual_seed(seed))
    offsets = torch.randint(-pixels, pixels + 1, (2, 5), generator=torch.Generator().manual_seed(seed))
    expected = torch.zeros_like(frames)
    for n, (dy, dx) in enumerate(offsets.T.tolist()):
        for y in range(4):
            for x in range(6):
                if 0 <= y + dy < 4 and 0 <= x + dx < 6:
                    expected[:, n, :, y + dy, x + dx] = frames[:, n, :, y, x]
    assert torch.equal(shifted, expected)
    assert torch.equal(frames, before)


def test_batches_cover_the_data_time_first_and_reshuffle():
    frames, labels = toy(50)
    batches = Batches(frames, labels, 16, generator=torch.Generator().manual_seed(1))
    assert len(batches) == 4
    epochs = [torch.cat([x.transpose(0, 1) for x, _ in batches]) for _ in range(2)]
    assert epochs[0].dtype == torch.float32
    assert not torch.equal(*epochs)
    for epoch in epochs:
        key = lambda t: t.flatten(1).double() @ torch.arange(1, 65, dtype=torch.float64) ** 2
        torch.testing.assert_close(key(epoch).sort().values, key(frames).sort().values)
    ordered = list(Batches(frames, labels, 16, shuffle=False))
    assert [len(y) for _, y in ordered] == [16, 16, 16, 2]
    assert all(x.shape[:2] == (4, len(y)) and x.is_contiguous() for x, y in ordered)
    assert torch.equal(torch.cat([y for _, y in ordered]), labels)
    assert torch.equal(ordered[0][0], frames[:16].transpose(0, 1).float())
    arrays = next(iter(Batches(frames.numpy(), labels.numpy(), 16, shuffle=False)))
    assert all(torch.equal(a, b) for a, b in zip(arrays, ordered[0], strict=True))


def test_batches_apply_the_augmentation_with_their_generator():
    frames, labels = toy(8)

    def first(source, shift):
        generator = torch.Generator().manual_seed(3)
        batches = Batches(source, labels, 8, generator=generator, augment=lambda x, g: shift(x, 1, g))
        return next(iter(batches))[0]

    shifted = first(frames, random_shift), first(EventFrames.from_dense(frames), shift_events)
    assert torch.equal(shifted[0], shifted[1].dense())
    assert not torch.equal(shifted[0].sum(1), frames.float().sum(0))


def test_loss_is_the_mean_square_to_one_hot():
    output = torch.tensor([[0.2, 0.9], [0.5, 0.5]])
    assert float(mse_to_one_hot(output, torch.tensor([1, 0]))) == pytest.approx(
        (0.04 + 0.01 + 0.25 + 0.25) / 4
    )


def test_fit_is_adam_with_a_cosine_schedule():
    """Two epochs of three batches equal the same steps written out."""
    frames, labels = toy(24)
    set_seed(0)
    model = small()
    twin = small()
    twin.load_state_dict(model.state_dict())
    batches = Batches(frames, labels, 8, shuffle=False)
    history = fit(model, batches, epochs=2, lr=0.01, loss=functional.cross_entropy, progress=False)
    optimizer = torch.optim.Adam(twin.parameters(), lr=0.01)
    losses = []
    for step, (x, y) in enumerate(2 * list(batches)):
        for group in optimizer.param_groups:
            group["lr"] = 0.01 * (1 + math.cos(math.pi * step / 6)) / 2
        optimizer.zero_grad()
        loss = functional.cross_entropy(twin(x), y)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
    assert history.loss == pytest.approx([np.mean(losses[:3]), np.mean(losses[3:])], rel=1e-4)
    assert len(history.seconds) == 2
    assert history.validation == []


def test_fit_learns_and_reports(capsys):
    set_seed(0)
    frames, labels = toy()
    train, held_out = split_indices(len(labels), 0.25)
    seen: list[tuple[int, int]] = []
    history = fit(
        small(),
        Batches(frames[train], labels[train], 12),
        epochs=15,
        lr=0.01,
        validation=Batches(frames[held_out], labels[held_out], 5, shuffle=False),
        after_epoch=lambda epoch, h: seen.append((epoch, len(h.validation))),
        progress=True,
    )
    assert seen == [(epoch, epoch + 1) for epoch in range(15)]
    assert history.loss[-1] < history.loss[0] / 2
    assert history.validation[-1] == 1.0
    assert set(history.as_dict()) == {"loss", "accuracy", "validation", "seconds"}
    assert "batch" in capsys.readouterr().err


def test_evaluate_counts_and_puts_the_mode_back():
    class Fixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Dropout()
            self.modes = []

        def forward(self, x):
            self.modes.append((self.training, self.inner.training, torch.is_grad_enabled()))
            return torch.eye(3)[x[0, :, 0].long()]

    x = torch.tensor([0, 1, 2, 1, 0.0]).reshape(5, 1, 1)
    model = Fixed()
    model.inner.eval()
    assert evaluate(model, Batches(x, torch.tensor([0, 1, 1, 1, 2]), 2, shuffle=False)) == pytest.approx(
        3 / 5
    )
    assert model.modes == [(False, False, False)] * 3
    assert (model.training, model.inner.training) == (True, False)


def test_neurons_of_spikingjelly_are_reset_before_every_batch():
    frames, labels = toy(24)
    node = neuron.IFNode(step_mode="m")
    model = nn.Sequential(nn.Flatten(2), nn.Linear(16, 2), node, MeanOverTime())
    batches = Batches(frames, labels, 8)
    fit(
        model, batches, epochs=2, progress=False
    )  # without a reset: "backward through the graph a second time"
    accuracy = evaluate(model, batches)
    assert evaluate(model, batches) == accuracy
    assert torch.is_tensor(node.v)
    reset_states(model)
    assert node.v == 0.0


def test_another_hook_and_optimiser_may_be_given():
    frames, labels = toy(24)
    model, calls = small(), []
    before = [p.clone() for p in model.parameters()]
    optimizer = torch.optim.SGD(list(model.parameters())[:1], lr=0.5)
    fit(
        model,
        Batches(frames, labels, 8),
        epochs=1,
        optimizer=optimizer,
        before_batch=lambda m: calls.append(m),
        progress=False,
    )
    assert calls == [model] * 3
    changed = [not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)]
    assert changed == [True, False]


def test_frozen_parameters_stay():
    frames, labels = toy(24)
    model = small()
    frozen = next(iter(model.parameters())).requires_grad_(False)
    before = frozen.clone()
    fit(model, Batches(frames, labels, 8), epochs=1, progress=False)
    assert torch.equal(frozen, before)


def test_same_seed_same_run():
    def run():
        set_seed(3)
        frames, labels = toy(24)
        return fit(small(), Batches(frames, labels, 8), epochs=2, progress=False).loss

    assert run() == run()


FRAMES, LABELS = toy(8)


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (ValueError, "count >= 2 and 0 < validation < 1; got 1", lambda: split_indices(1)),
        (ValueError, "got 8 and 1.0", lambda: split_indices(8, 1.0)),
        (ValueError, "pixels >= 0", lambda: random_shift(torch.zeros(2, 2, 2, 2), -1)),
        (ValueError, r"got 1 and \[2, 2\]", lambda: random_shift(torch.zeros(2, 2), 1)),
        (TypeError, "labels must be integers; got torch.float32", lambda: Batches(FRAMES, LABELS.float())),
        (ValueError, r"got 7 frames and labels of shape \[8\]", lambda: Batches(FRAMES[:7], LABELS)),
        (ValueError, "at least 1; got 0 frames", lambda: Batches(FRAMES[:0], LABELS[:0])),
        (ValueError, r"\[samples, T, ...\]; got shape \[8\]", lambda: Batches(torch.zeros(8), LABELS)),
        (ValueError, "size must be at least 1; got 0", lambda: Batches(FRAMES, LABELS, 0)),
        (ValueError, r"got \[4, 8, 2\] and \[8\]", lambda: mse_to_one_hot(torch.zeros(4, 8, 2), LABELS)),
        (ValueError, r"lie in \[0, 0\]; got 0 to 1", lambda: mse_to_one_hot(torch.zeros(8, 1), LABELS)),
        (
            ValueError,
            "epochs must be at least 1; got 0",
            lambda: fit(small(), Batches(FRAMES, LABELS), epochs=0),
        ),
        (
            ValueError,
            "lr must be a positive",
            lambda: fit(small(), Batches(FRAMES, LABELS), epochs=1, lr=-1.0),
        ),
        (ValueError, "no batches to train on", lambda: fit(small(), [], epochs=1)),
        (ValueError, "no samples to evaluate on", lambda: evaluate(small(), [])),
        (
            ValueError,
            r"\[N, classes\] for N = 8 labels; got \[4, 8, 1, 4, 4\]",
            lambda: evaluate(LIF(), Batches(FRAMES, LABELS)),
        ),
    ],
)
def test_bad_input(error, match, call):
    with pytest.raises(error, match=match):
        call()


def test_a_loss_that_is_not_finite_stops_the_run():
    with pytest.raises(RuntimeError, match="the loss became nan in epoch 0"):
        fit(
            small(),
            Batches(FRAMES, LABELS),
            epochs=1,
            loss=lambda output, labels: output.sum() * math.nan,
            progress=False,
        )


def test_history_starts_empty():
    assert History().as_dict() == {"loss": [], "accuracy": [], "validation": [], "seconds": []}


@pytest.mark.slow
@pytest.mark.data
def test_two_layers_learn_real_nmnist():
    """800 recordings, 200 held out, 7 epochs: chance is 10 %."""
    if datasets.available("nmnist") is None:
        pytest.skip("SNNKIT_DATA does not point to N-MNIST")
    recordings = datasets.nmnist(count=1000)
    frames, labels = recordings.frames_by_count(10), recordings.labels
    set_seed(0)
    history = fit(
        two_layer_event_snn(hidden=256),
        Batches(
            EventFrames.from_dense(frames[:800], np.log1p),
            labels[:800],
            augment=lambda x, g: shift_events(x, 1, g),
        ),
        epochs=7,
        validation=Batches(EventFrames.from_dense(frames[800:], np.log1p), labels[800:], 200, shuffle=False),
        progress=False,
    )
    assert history.validation[-1] > 0.8
