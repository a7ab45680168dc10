"""A simulated event camera that looks at a still image while it makes three saccades, as N-MNIST was recorded.

The sensor (34 x 34 pixels) moves along a triangle in three strokes of 100 ms, each with the bell-shaped speed of an
eye movement, while the image (28 x 28) stands still. A pixel compares the logarithm of its brightness with the value
at its last event and sends ON (OFF) events when it has risen (fallen) by the contrast threshold. What comes out is a
simulation, not a recording: it has no pixel bandwidth, no refractory time and, unless asked for, no noise.

One difference shows in every frame. Here a pixel that a bright digit enters sends ON. In the files of N-MNIST the
polarity bit is 1 where the digit leaves: between the rate of change that the movement implies and the recorded
ON - OFF the correlation is negative (about -0.3 over the strokes of the first 300 recordings, here +0.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snnkit._validate import require_in, require_positive, require_steps
from snnkit.events._events import Events
from snnkit.events.nmnist import TIME_LIMIT

__all__ = ["Camera", "Floats", "resize", "saccade_camera", "saccade_path"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """The simulated sensor and its movement.

    Args:
        sensor: Rows and columns of the sensor.
        image: Rows and columns that the image covers; the rest of the sensor is room to move.
        saccade: Duration of one of the three strokes in microseconds.
        interval: Microseconds between two looks at the scene; events in between are interpolated.
        threshold: Change of log brightness that makes an event.
        background: Brightness of black, where white is 1 (+ background); keeps the logarithm finite.
        mismatch: Standard deviation of the pixels' thresholds, as a fraction of ``threshold``.
        noise: Noise events per pixel and second.
        seed: Seed of the pixels' starting points, of mismatch and of noise.

    Raises:
        TypeError, ValueError: if a value is of the wrong type or out of range.

    Source: Orchard, Jayawant, Cohen, Thakor, Frontiers in Neuroscience 9:437 (2015), for sizes and movement;
    Lichtsteiner, Posch, Delbruck, IEEE JSSC 43(2) (2008), for the pixel.
    """

    sensor: int = 34
    image: int = 28
    saccade: int = 100_000
    interval: int = 2_500
    threshold: float = 0.3
    background: float = 0.2
    mismatch: float = 0.0
    noise: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("sensor", "image", "saccade", "interval"):
            require_steps(getattr(self, name), name)
        if self.image > self.sensor:
            raise ValueError(f"image must not exceed the sensor of {self.sensor} pixels; got {self.image}")
        if self.saccade % self.interval:
            raise ValueError(
                f"saccade must be a multiple of interval ({self.interval} us); got {self.saccade}"
            )
        if 3 * self.saccade >= TIME_LIMIT:
            raise ValueError(f"three saccades must end before {TIME_LIMIT} us; got 3 x {self.saccade}")
        require_positive("threshold", self.threshold)
        require_positive("background", self.background)
        require_in("mismatch", self.mismatch, 0.0, 0.3)
        require_in("noise", self.noise, 0.0, 1e4)

    def record(self, images: ArrayLike, first: int = 0) -> list[Events]:
        """Record several images.

        Args:
            images: Brightness in [0, 1], ``[N, h, w]``; resized to ``image`` x ``image`` when of another size.
            first: Number of the first image; with ``seed`` it fixes the noise, so that a recording does not depend
                on which others are made in the same call.

        Returns:
            N recordings of ``3 * saccade`` microseconds, x and y as int16, p as int8, t as int32.

        Raises:
            ValueError: if the shape is not ``[N, h, w]`` or a value is not in [0, 1].

        Source: Orchard et al. (2015); Lichtsteiner et al. (2008).
        """
        scenes = np.asarray(images, np.float64)
        if scenes.ndim != 3 or 0 in scenes.shape[1:]:
            raise ValueError(f"images must have shape [N, height, width]; got {list(scenes.shape)}")
        if not bool(((scenes >= 0) & (scenes <= 1)).all()):
            raise ValueError(
                f"images must lie in [0, 1]; got {scenes.min()} to {scenes.max()}: divide by the maximum"
            )
        if scenes.shape[1:] != (self.image, self.image):
            scenes = resize(scenes, self.image, self.image)
        recordings: list[Events] = []
        for start in range(0, len(scenes), _BATCH):
            recordings += self._record(scenes[start : start + _BATCH], first + start)
        return recordings

    def _record(self, scenes: Floats, first: int) -> list[Events]:
        looks = 3 * self.saccade // self.interval + 1
        times = np.arange(looks) * self.interval
        columns, rows = saccade_path(times, self.saccade, float(self.sensor - self.image))
        over = _shift_matrices(columns, self.image, self.sensor).transpose(0, 2, 1)
        down = _shift_matrices(rows, self.image, self.sensor)
        change = down @ (scenes[:, None] @ np.ascontiguousarray(over))  # [N, looks, sensor, sensor]
        change += self.background
        np.log(change, out=change)
        change -= change[:, :1].copy()
        rng = np.random.default_rng(self.seed)
        pixels = (self.sensor, self.sensor)
        spread = 1 + self.mismatch * np.clip(rng.standard_normal(pixels), -3, 3)
        change *= 1 / (self.threshold * spread)  # in thresholds since the start
        # the last event of a pixel lies at some earlier time: without this all would start in step
        change += rng.uniform(-0.5, 0.5, pixels)
        levels = _follow(change)
        fired = np.zeros_like(levels)
        np.subtract(levels[:, 1:], levels[:, :-1], out=fired[:, :-1])
        before = np.flatnonzero(fired)
        step = fired.ravel()[before].astype(np.int64)
        repeats = np.abs(step)
        # the m-th event of a pixel in this interval is where its change passes level + m
        order = 1 + np.arange(int(repeats.sum())) - np.repeat(np.cumsum(repeats) - repeats, repeats)
        before, sign = np.repeat(before, repeats), np.repeat(np.sign(step), repeats)
        size = self.sensor**2
        old, new = change.ravel()[before], change.ravel()[before + size]
        part = (levels.ravel()[before] + sign * order - old) / (new - old)
        look, place = np.divmod(before, size)
        which, look = np.divmod(look, looks)
        t = ((look + part) * self.interval).astype(np.int64)
        parts = np.stack([place % self.sensor, place // self.sensor, (sign + 1) // 2, t])
        cuts = np.searchsorted(which, np.arange(1, len(scenes)))
        return [self._finish(cut, first + number) for number, cut in enumerate(np.split(parts, cuts, axis=1))]

    def _finish(self, parts: NDArray[np.int64], number: int) -> Events:
        """Add the noise of recording ``number`` and sort by time."""
        if self.noise > 0:
            rng = np.random.default_rng([self.seed, number])
            size = rng.poisson(self.noise * self.sensor**2 * 3 * self.saccade / 1e6)
            limits = np.array([[self.sensor], [self.sensor], [2], [3 * self.saccade]])
            parts = np.concatenate([parts, rng.integers(0, limits, (4, size))], axis=1)
        x, y, p, t = parts[:, np.argsort(parts[3], kind="stable")]
        return Events(x.astype(np.int16), y.astype(np.int16), p.astype(np.int8), t.astype(np.int32))


_BATCH = 16  # images at a time; more would not fit the cache


def saccade_camera(image: ArrayLike, camera: Camera | None = None, number: int = 0) -> Events:
    """Record one image with a simulated event camera that makes three saccades.

    Args:
        image: Brightness in [0, 1], ``[h, w]``; resized to 28 x 28 when of another size.
        camera: The sensor and its movement; by default N-MNIST's 34 x 34 pixels and 300 ms, without noise.
        number: Number of the recording; changes its noise and nothing else.

    Returns:
        A simulated recording, sorted by time, that :func:`snnkit.events.encode_nmnist` accepts.

    Raises:
        ValueError: if the image is not 2-D or a value is not in [0, 1].

    Source: Orchard, Jayawant, Cohen, Thakor, Frontiers in Neuroscience 9:437 (2015).
    """
    array = np.asarray(image, np.float64)
    if array.ndim != 2:
        raise ValueError(f"image must have shape [height, width]; got {list(array.shape)}")
    return (camera or Camera()).record(array[None], number)[0]


def saccade_path(t: ArrayLike, saccade: float, travel: float) -> tuple[Floats, Floats]:
    """Return where the image lies on the sensor at given times: a triangle, one side a saccade.

    The corners are (0, 0), (travel/2, travel) and (travel, 0); along a side the distance follows
    10 s^3 - 15 s^4 + 6 s^5 with s from 0 to 1, which starts and ends at rest.

    Args:
        t: Times in microseconds, 0 to ``3 * saccade``.
        saccade: Duration of one side in microseconds.
        travel: Width and height of the triangle in pixels.

    Returns:
        Columns and rows in pixels, of the shape of ``t``.

    Raises:
        ValueError: if ``saccade`` is not positive or a time is outside the path.

    Source: Orchard et al. (2015), figure 3; Flash and Hogan, J. Neuroscience 5(7) (1985), for the speed.
    """
    times = np.asarray(t, np.float64)
    require_positive("saccade", saccade)
    if bool(((times < 0) | (times > 3 * saccade)).any()):
        raise ValueError(f"t must lie in [0, {3 * saccade}] us; got {times.min()} to {times.max()}")
    side = np.minimum((times // saccade).astype(np.int64), 2)
    s = times / saccade - side
    s = s**3 * (10 - 15 * s + 6 * s**2)
    corners: NDArray[Any] = travel * np.array([[0.0, 0.0], [0.5, 1.0], [1.0, 0.0], [0.0, 0.0]])
    place = corners[side] + s[..., None] * (corners[side + 1] - corners[side])
    return place[..., 0], place[..., 1]


def resize(images: ArrayLike, height: int, width: int) -> Floats:
    """Resize images ``[..., h, w]`` by linear interpolation between pixel centres.

    The centres lie at half-integers; values stay within those of the input.

    Raises:
        ValueError: if a size is below 1 or ``images`` has fewer than two axes.
    """
    array = np.asarray(images, np.float64)
    if array.ndim < 2:
        raise ValueError(f"images must have at least two axes; got shape {list(array.shape)}")
    result: Floats = (
        _resize_matrix(array.shape[-2], height) @ array @ _resize_matrix(array.shape[-1], width).T
    )
    return result


def _resize_matrix(old: int, new: int) -> Floats:
    require_steps(old, "size")
    require_steps(new, "size")
    centres = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    weights: Floats = np.maximum(0.0, 1 - np.abs(centres[:, None] - np.arange(old)))
    return weights


def _shift_matrices(offsets: Floats, old: int, new: int) -> Floats:
    """Return ``[len(offsets), new, old]`` matrices that lay ``old`` pixels onto ``new`` ones, moved by an offset."""
    distance = np.arange(new)[:, None] - np.arange(old) - offsets[:, None, None]
    weights: Floats = np.maximum(0.0, 1 - np.abs(distance))
    return weights


def _follow(change: Floats) -> NDArray[np.int16]:
    """Return each pixel's level at each look: it starts at 0 and steps by 1 when the change is 1 or more away."""
    levels = np.zeros(change.shape, np.int16)
    level = np.zeros_like(change[:, 0])
    for look in range(1, change.shape[1]):
        level += np.trunc(change[:, look] - level)
        levels[:, look] = level
    return levels
