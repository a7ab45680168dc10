"""What is known about each data set: content, licence, source, citation, checksums and file names."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "CATALOGUE",
    "CIFAR10_NAMES",
    "DIGIT_NAMES",
    "FASHION_NAMES",
    "GESTURE_NAMES",
    "DatasetInfo",
    "Download",
    "describe",
]


@dataclass(frozen=True)
class Download:
    """A file that its publisher offers, with the MD5 sum the publisher or a reference library states."""

    url: str
    file: str
    md5: str


@dataclass(frozen=True)
class DatasetInfo:
    """The record of a data set.

    Args:
        name: Name of the loader in :mod:`snnkit.datasets`.
        title: Name in the literature.
        content: Samples, sizes, classes.
        licence: Licence and who states it.
        redistributable: Whether that licence is known to allow passing the data on.
        source: Where the data come from.
        citation: What to cite.
        note: What else a user should know.
        folders: Sub-folders of a data folder in which it is looked for.
        patterns: Files or folders of which at least one must be there.
        downloads: What :func:`snnkit.datasets.fetch` gets; empty when there is nothing to get or one must ask.
    """

    name: str
    title: str
    content: str
    licence: str
    redistributable: bool
    source: str
    citation: str
    note: str = ""
    folders: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    downloads: tuple[Download, ...] = ()

    @property
    def embedded(self) -> bool:
        """Whether the data set needs no files."""
        return not self.patterns


DIGIT_NAMES = tuple("0123456789")
FASHION_NAMES = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
CIFAR10_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
GESTURE_NAMES = (
    "hand clapping",
    "right hand wave",
    "left hand wave",
    "right arm clockwise",
    "right arm counter-clockwise",
    "left arm clockwise",
    "left arm counter-clockwise",
    "arm roll",
    "air drums",
    "air guitar",
    "other gestures",
)

_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
_NMNIST = "https://data.mendeley.com/public-files/datasets/468j46mzdv/files/"
_FIGSHARE = "https://ndownloader.figshare.com/files/"

_RECORDS = (
    DatasetInfo(
        name="digits",
        title="Optical recognition of handwritten digits (8 x 8)",
        content="1,797 grey images of 8 x 8 pixels, 10 classes; no official split, ours is 1,500 + 297, stratified",
        licence="BSD-3-Clause, as part of scikit-learn",
        redistributable=True,
        source="scikit-learn, sklearn.datasets.load_digits",
        citation="E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI repository (1998)",
        note="embedded: comes with scikit-learn, needs no files",
    ),
    DatasetInfo(
        name="simulated_nmnist",
        title="Digits before a simulated event camera",
        content="1,797 simulated recordings of 34 x 34 pixels and 300 ms, 10 classes; split as digits",
        licence="BSD-3-Clause, that of the images from scikit-learn",
        redistributable=True,
        source="computed from digits by snnkit.events.camera; stored in the format of N-MNIST",
        citation="the course; the movement follows G. Orchard et al., Frontiers in Neuroscience 9:437 (2015)",
        note="a simulation, not recordings: results do not carry over to N-MNIST",
    ),
    DatasetInfo(
        name="mnist",
        title="MNIST",
        content="60,000 + 10,000 grey images of 28 x 28 pixels, 10 classes",
        licence="CC BY-SA 3.0, as stated in the data-set documentation of Keras",
        redistributable=True,
        source="http://yann.lecun.com/exdb/mnist/",
        citation="Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Proceedings of the IEEE 86(11) (1998)",
        folders=("mnist", "MNIST/raw", "MNIST"),
        patterns=("train-images-idx3-ubyte*", "t10k-images-idx3-ubyte*"),
        downloads=(
            Download(
                _MNIST + "train-images-idx3-ubyte.gz",
                "train-images-idx3-ubyte.gz",
                "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            ),
            Download(
                _MNIST + "train-labels-idx1-ubyte.gz",
                "train-labels-idx1-ubyte.gz",
                "d53e105ee54ea40749a09fcbcd1e9432",
            ),
            Download(
                _MNIST + "t10k-images-idx3-ubyte.gz",
                "t10k-images-idx3-ubyte.gz",
                "9fb629c4189551a2d022fa330f9573f3",
            ),
            Download(
                _MNIST + "t10k-labels-idx1-ubyte.gz",
                "t10k-labels-idx1-ubyte.gz",
                "ec29112dd5afa0611ce80d1b7f02629c",
            ),
        ),
    ),
    DatasetInfo(
        name="fashion_mnist",
        title="Fashion-MNIST",
        content="60,000 + 10,000 grey images of 28 x 28 pixels, 10 classes",
        licence="MIT, Copyright 2017 Zalando SE",
        redistributable=True,
        source="https://github.com/zalandoresearch/fashion-mnist",
        citation="H. Xiao, K. Rasul, R. Vollgraf, arXiv:1708.07747 (2017)",
        note="a file train10k-* with the first 10,000 training images is used where the whole is not there",
        folders=("fashion_mnist", "FashionMNIST/raw", "fashion-mnist"),
        patterns=("train-images-idx3-ubyte*", "train10k-images-idx3-ubyte*", "t10k-images-idx3-ubyte*"),
        downloads=(
            Download(
                _FASHION + "train-images-idx3-ubyte.gz",
                "train-images-idx3-ubyte.gz",
                "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            ),
            Download(
                _FASHION + "train-labels-idx1-ubyte.gz",
                "train-labels-idx1-ubyte.gz",
                "25c81989df183df01b3e8a0aad5dffbe",
            ),
            Download(
                _FASHION + "t10k-images-idx3-ubyte.gz",
                "t10k-images-idx3-ubyte.gz",
                "bef4ecab320f06d8554ea6380940ec79",
            ),
            Download(
                _FASHION + "t10k-labels-idx1-ubyte.gz",
                "t10k-labels-idx1-ubyte.gz",
                "bb300cfdad3c16e7a12a480ee83cd310",
            ),
        ),
    ),
    DatasetInfo(
        name="cifar10",
        title="CIFAR-10",
        content="50,000 + 10,000 colour images of 32 x 32 pixels, 10 classes",
        licence="none stated, the author asks for citation",
        redistributable=False,
        source="https://www.cs.toronto.edu/~kriz/cifar.html",
        citation="A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, University of Toronto (2009)",
        note="a folder of residual .npz files (train_1of5 ... train_5of5, test_first1000) is read too",
        folders=("cifar10", "cifar-10", "cifar-10-batches-bin", "cifar-10-batches-py"),
        patterns=(
            "data_batch_1*",
            "test_batch*",
            "cifar-10-batches-bin",
            "cifar-10-batches-py",
            "cifar-10-binary.tar.gz",
            "train_*of5.npz",
            "test_first1000.npz",
        ),
        downloads=(
            Download(
                "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                "cifar-10-binary.tar.gz",
                "c32a1d4ab5d03f1284b67883e8d87530",
            ),
        ),
    ),
    DatasetInfo(
        name="nmnist",
        title="N-MNIST",
        content="60,000 + 10,000 recordings of 34 x 34 pixels and about 300 ms, 10 classes",
        licence="CC BY-SA 4.0, stated on the authors' page",
        redistributable=True,
        source="https://www.garrickorchard.com/datasets/n-mnist",
        citation="G. Orchard, A. Jayawant, G. K. Cohen, N. Thakor, Frontiers in Neuroscience 9:437 (2015)",
        note="one recording holds three saccades; archives are read without unpacking",
        folders=("nmnist", "N-MNIST", "NMNIST"),
        patterns=("Train", "Test", "*.zip"),
        downloads=(
            Download(
                _NMNIST + "39c25547-014b-4137-a934-9d29fa53c7a0/file_downloaded",
                "Train.zip",
                "20959b8e626244a1b502305a9e6e2031",
            ),
            Download(
                _NMNIST + "05a4d654-7e03-4c15-bdfa-9bb2bcbea494/file_downloaded",
                "Test.zip",
                "69ca8762b2fe404d9b9bad1103e97832",
            ),
        ),
    ),
    DatasetInfo(
        name="cifar10_dvs",
        title="CIFAR10-DVS",
        content="10,000 recordings of 128 x 128 pixels, 10 classes; no official split, ours is stratified by a seed",
        licence="that of the figshare record, to be read there before passing the data on",
        redistributable=False,
        source="https://figshare.com/articles/dataset/CIFAR10-DVS_New/4724671",
        citation="H. Li, H. Liu, X. Ji, G. Li, L. Shi, Frontiers in Neuroscience 11:309 (2017)",
        note="accuracies under different splits do not compare; archives are read without unpacking",
        folders=("cifar10_dvs", "CIFAR10-DVS", "CIFAR10DVS"),
        patterns=("airplane", "airplane.zip"),
        downloads=tuple(
            Download(_FIGSHARE + number, f"{label}.zip", md5)
            for label, number, md5 in (
                ("airplane", "7712788", "0afd5c4bf9ae06af762a77b180354fdd"),
                ("automobile", "7712791", "8438dfeba3bc970c94962d995b1b9bdd"),
                ("bird", "7712794", "a9c207c91c55b9dc2002dc21c684d785"),
                ("cat", "7712812", "52c63c677c2b15fa5146a8daf4d56687"),
                ("deer", "7712815", "b6bf21f6c04d21ba4e23fc3e36c8a4a3"),
                ("dog", "7712818", "f379ebdf6703d16e0a690782e62639c3"),
                ("frog", "7712842", "cad6ed91214b1c7388a5f6ee56d08803"),
                ("horse", "7712851", "e7cbbf77bec584ffbf913f00e682782a"),
                ("ship", "7712836", "41c7bd7d6b251be82557c6cce9a7d5c9"),
                ("truck", "7712839", "89f3922fd147d9aeff89e76a2b0b70a7"),
            )
        ),
    ),
    DatasetInfo(
        name="dvs_gesture",
        title="DVS128 Gesture",
        content="29 persons, 11 gestures, 3 lights, 128 x 128 pixels; 98 + 24 files in the official split by person",
        licence="CC BY 4.0, stated by IBM Research",
        redistributable=True,
        source="https://research.ibm.com/interactive/dvsgesture/",
        citation="A. Amir et al., A Low Power, Fully Event-Based Gesture Recognition System, CVPR (2017)",
        note="to be fetched by hand from the publisher's page, then unpacked; a file dvs128_gesture_4.npz with four "
        "recordings is read too",
        folders=("dvs_gesture", "DvsGesture", "dvs128gesture", "dvs_gesture/DvsGesture"),
        patterns=("trials_to_train.txt", "dvs128_gesture_4.npz"),
    ),
)

CATALOGUE: dict[str, DatasetInfo] = {record.name: record for record in _RECORDS}
"""All data sets by the name of their loader.

:meta hide-value:
"""


def describe(name: str) -> DatasetInfo:
    """Return licence, source, citation and the rest of a data set, by the name of its loader.

    Raises:
        ValueError: if there is no such data set; lists those that exist.
    """
    if name not in CATALOGUE:
        raise ValueError(f"there is no data set {name!r}; known are {', '.join(CATALOGUE)}")
    return CATALOGUE[name]
