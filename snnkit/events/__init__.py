"""Address events: recordings as arrays, file formats, frames, and a simulated event camera.

An event is a pixel (x to the right, y downwards), a polarity p (1 = ON: brighter, 0 = OFF: darker) and a
time t in whole microseconds. A recording is an :class:`Events`, sorted by time.

==================  ======================================================================================
``nmnist``          40-bit records of N-MNIST and N-Caltech101
``aedat2``          AEDAT 2.0 (CIFAR10-DVS), whole or streamed
``aedat3``          AEDAT 3.1 (DVS Gesture), whole or streamed
``gesture_labels``  the label files of DVS Gesture
``frames``          events summed into frames ``[T, 2, H, W]``: channel 0 is OFF, channel 1 is ON
``camera``          a simulated event camera that looks at a still image while making three saccades
==================  ======================================================================================
"""

from __future__ import annotations

from snnkit.events._events import Events
from snnkit.events.aedat2 import (
    CIFAR10_DVS,
    DVS128,
    AddressLayout,
    decode_aedat2,
    iter_aedat2,
    read_aedat2,
    write_aedat2,
)
from snnkit.events.aedat3 import iter_aedat3, read_aedat3, write_aedat3
from snnkit.events.camera import Camera, resize, saccade_camera, saccade_path
from snnkit.events.frames import frames_by_count, frames_by_time, iter_frames
from snnkit.events.gesture_labels import GestureTrial, read_gesture_labels
from snnkit.events.nmnist import decode_nmnist, encode_nmnist, iter_nmnist, read_nmnist, write_nmnist

__all__ = [
    "CIFAR10_DVS",
    "DVS128",
    "AddressLayout",
    "Camera",
    "Events",
    "GestureTrial",
    "decode_aedat2",
    "decode_nmnist",
    "encode_nmnist",
    "frames_by_count",
    "frames_by_time",
    "iter_aedat2",
    "iter_aedat3",
    "iter_frames",
    "iter_nmnist",
    "read_aedat2",
    "read_aedat3",
    "read_gesture_labels",
    "read_nmnist",
    "resize",
    "saccade_camera",
    "saccade_path",
    "write_aedat2",
    "write_aedat3",
    "write_nmnist",
]
