"""Sparse event frames: every operation against its dense form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from snnkit.sparse import EventFrames, EventLinear, shift_events


def counts(samples: int, steps: int, shape: tuple[int, ...], density: float, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    size = (samples, steps, *shape)
    keep = torch.rand(size, generator=generator) < density
    return (keep * torch.randint(1, 5, size, generator=generator)).to(torch.uint8)


def dense_batch(frames: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
    return frames[indices].transpose(0, 1).float()


@given(
    samples=st.integers(1, 6),
    steps=st.integers(1, 4),
    side=st.integers(1, 5),
    density=st.sampled_from([0.0, 0.1, 0.6, 1.0]),
    seed=st.integers(0, 1000),
)
def test_batches_equal_the_dense_frames(samples, steps, side, density, seed):
    frames = counts(samples, steps, (2, side, side + 1), density, seed)
    sparse = EventFrames.from_dense(frames)
    assert len(sparse) == samples
    assert sparse.density == pytest.approx(float((frames > 0).double().mean()))
    indices = torch.randint(samples, (4,), generator=torch.Generator().manual_seed(seed))
    batch = sparse.batch(indices)
    expected = dense_batch(frames, indices)
    assert batch.dense().shape == (steps, 4, 2, side, side + 1)
    assert torch.equal(batch.dense(), expected)
    assert torch.equal(batch.transposed.to_dense(), expected.reshape(steps * 4, -1).T)
    for matrix in (batch.matrix, batch.transposed):
        torch.sparse_csr_tensor(
            matrix.crow_indices(), matrix.col_indices(), matrix.values(), matrix.shape, check_invariants=True
        )


@pytest.mark.parametrize("bias", [False, True])
@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 7), st.integers(0, 1000))
def test_layer_and_gradient_equal_the_dense_linear(bias, samples, steps, outputs, seed):
    frames = counts(samples, steps, (2, 3, 4), 0.3, seed)
    torch.manual_seed(seed)
    layer, linear = EventLinear(24, outputs, bias), nn.Linear(24, outputs, bias)
    with torch.no_grad():
        linear.weight.copy_(layer.weight.T)
        if bias:
            linear.bias.copy_(layer.bias)
    indices = torch.arange(samples)
    x = dense_batch(frames, indices)
    target = torch.randn(steps, samples, outputs)
    results = []
    for module, inputs in (
        (layer, EventFrames.from_dense(frames).batch(indices)),
        (layer, x),
        (linear, x.flatten(2)),
    ):
        module.zero_grad()
        output = module(inputs)
        (output * target).sum().backward()
        gradients = [p.grad.clone() for p in module.parameters()]
        results.append((output.detach(), gradients[0] if module is layer else gradients[0].T, *gradients[1:]))
    for result in results[:2]:
        for ours, theirs in zip(result, results[2], strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_wide_frames_sort_correctly_too():
    """More than 2**16 pixels: the sort of the transpose cannot use 16-bit keys."""
    frames = counts(2, 2, (2, 200, 200), 0.001, 0)
    batch = EventFrames.from_dense(frames).batch(torch.tensor([1, 0]))
    expected = dense_batch(frames, torch.tensor([1, 0])).reshape(4, -1)
    assert torch.equal(batch.transposed.to_dense(), expected.T)


def test_transform_acts_on_the_counts():
    frames = counts(3, 2, (2, 3, 3), 0.5, 1)
    batch = EventFrames.from_dense(frames, np.log1p).batch(torch.arange(3))
    torch.testing.assert_close(batch.dense(), dense_batch(frames, torch.arange(3)).log1p())


@given(st.integers(0, 3), st.integers(0, 1000))
def test_shifted_events_are_shifted_frames(pixels, seed):
    frames = counts(4, 3, (2, 5, 6), 0.4, seed)
    batch = EventFrames.from_dense(frames).batch(torch.arange(4))
    shifted = shift_events(batch, pixels, torch.Generator().manual_seed(seed)).dense()
    offsets = torch.randint(-pixels, pixels + 1, (2, 4), generator=torch.Generator().manual_seed(seed))
    dense = batch.dense()
    expected = torch.zeros_like(dense)
    for n, (dy, dx) in enumerate(offsets.T.tolist()):
        for y in range(5):
            for x in range(6):
                if 0 <= y + dy < 5 and 0 <= x + dx < 6:
                    expected[:, n, :, y + dy, x + dx] = dense[:, n, :, y, x]
    assert torch.equal(shifted, expected)


FRAMES = EventFrames.from_dense(counts(3, 2, (2, 3, 4), 0.5, 0))


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (
            ValueError,
            r"\[samples, T, ...\] with T >= 1; got shape \[3, 4\]",
            lambda: EventFrames.from_dense(np.ones((3, 4))),
        ),
        (ValueError, r"got shape \[3, 0, 2\]", lambda: EventFrames.from_dense(np.ones((3, 0, 2)))),
        (
            IndexError,
            r"sample numbers must lie in \[0, 2\]; got 1 to 3",
            lambda: FRAMES.batch(torch.tensor([1, 3])),
        ),
        (IndexError, r"got -1 to 0", lambda: FRAMES.batch(torch.tensor([-1, 0]))),
        (ValueError, r"N >= 1; got shape \[0\]", lambda: FRAMES.batch(torch.tensor([], dtype=torch.int64))),
        (ValueError, "pixels >= 0", lambda: shift_events(FRAMES.batch(torch.tensor([0])), -1)),
        (ValueError, "must have 24 pixels; got 12", lambda: EventLinear(24, 5)(torch.zeros(2, 3, 3, 4))),
        (
            ValueError,
            "must have 25 pixels; got 24",
            lambda: EventLinear(25, 5)(FRAMES.batch(torch.tensor([0]))),
        ),
        (
            TypeError,
            "torch.float64; got torch.float32",
            lambda: EventLinear(24, 5).double()(FRAMES.batch(torch.tensor([0]))),
        ),
        (ValueError, "outputs must be at least 1; got 0", lambda: EventLinear(24, 0)),
    ],
)
def test_bad_input(error, match, call):
    with pytest.raises(error, match=match):
        call()


def test_repr_names_the_sizes():
    assert repr(EventLinear(24, 5)) == "EventLinear(inputs=24, outputs=5, bias=False)"
