"""Data sets: where they come from, under which licence, and how they become arrays.

Nothing is downloaded unasked. A loader looks under ``root``, or else under the folder that the environment variable
``SNNKIT_DATA`` names and then in the cache that :func:`fetch` fills; if nothing is there, it says where it looked
and what to do. ``digits`` and ``simulated_nmnist`` need no files.

====================  ========================================================================================
``digits``            8 x 8 digits of scikit-learn (images)
``mnist``             28 x 28 digits (images)
``fashion_mnist``     28 x 28 pieces of clothing (images)
``cifar10``           32 x 32 colour pictures (images)
``nmnist``            MNIST seen by an event camera, 34 x 34 (recordings)
``simulated_nmnist``  digits seen by the simulated event camera of :mod:`snnkit.events.camera` (recordings)
``event_digits``      frames of ``nmnist`` where it is to be had, else of ``simulated_nmnist``
``cifar10_dvs``       CIFAR-10 seen by an event camera, 128 x 128 (recordings)
``dvs_gesture``       gestures of hands and arms, 128 x 128 (recordings)
====================  ========================================================================================

Images are ``float32 [N, C, H, W]`` in [0, 1], labels ``int64 [N]``, event frames counts ``[N, T, 2, H, W]``, all
NumPy arrays; ``tensors()`` gives PyTorch tensors that share their memory.
"""

from __future__ import annotations

from snnkit.datasets.catalogue import CATALOGUE, DatasetInfo, Download, describe
from snnkit.datasets.digit_recordings import event_digits, nmnist, simulated_nmnist, write_nmnist_folder
from snnkit.datasets.dvs_recordings import cifar10_dvs, dvs_gesture
from snnkit.datasets.event_data import EventData, EventDigits
from snnkit.datasets.images import ImageData, cifar10, digits, fashion_mnist, mnist
from snnkit.datasets.local import (
    DataError,
    DataNotFoundError,
    available,
    cache_root,
    data_root,
    fetch,
    find,
    stratified_split,
)

__all__ = [
    "CATALOGUE",
    "DataError",
    "DataNotFoundError",
    "DatasetInfo",
    "Download",
    "EventData",
    "EventDigits",
    "ImageData",
    "available",
    "cache_root",
    "cifar10",
    "cifar10_dvs",
    "data_root",
    "describe",
    "digits",
    "dvs_gesture",
    "event_digits",
    "fashion_mnist",
    "fetch",
    "find",
    "mnist",
    "nmnist",
    "simulated_nmnist",
    "stratified_split",
    "write_nmnist_folder",
]
