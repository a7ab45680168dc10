"""One warm parent for all tests of the package, a small library for students, and canaries that nothing may touch."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from autograder.isolation import sandbox
from autograder.isolation.limits import Limits
from autograder.isolation.session import Session
from autograder.isolation.source import WarmParent

# NORMAL is never reached by what is meant to end; SHORT is for what burns without end, SLEEPY for what sleeps without end.
NORMAL = Limits(cell_seconds=20, notebook_seconds=60, memory_mb=400, file_mb=8, output_kb=64)
SHORT = replace(NORMAL, cell_seconds=1.5, grace_seconds=0.5)
SLEEPY = replace(SHORT, cell_seconds=3, wall_factor=1)
LIBRARY = '''"""A library."""

from __future__ import annotations


def double(x):
    return 2 * x
'''


@dataclass
class Canaries:
    """A file, a listener for each kind of socket, and what reached them."""

    file: Path
    tcp: int
    udp: int
    unix: Path
    reached: list[str] = field(default_factory=list)

    def untouched(self) -> bool:
        return self.file.read_text() == "canary" and not self.reached


@pytest.fixture(scope="session")
def layers() -> sandbox.Layers:
    return sandbox.probe()


@pytest.fixture(scope="session")
def need(layers: sandbox.Layers) -> Callable[..., None]:
    def check(*names: str) -> None:
        for name in names:
            if not layers.has(name):
                pytest.skip(f"this machine lacks the layer {name!r}: {layers.found[name]}")

    return check


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of students' copies with one copy, ``one``, in it."""
    copies = tmp_path_factory.mktemp("copies")
    (copies / "one" / "tiny").mkdir(parents=True)
    (copies / "one" / "tiny" / "__init__.py").write_text(LIBRARY)
    (copies / "other").mkdir()
    (copies / "other" / "secret.py").write_text("answer = 42\n")
    return copies


@pytest.fixture(scope="session")
def warm_parent(
    layers: sandbox.Layers, library: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WarmParent]:
    try:
        sandbox.require(layers)
    except sandbox.IsolationError as error:
        pytest.skip(str(error).splitlines()[0])
    with WarmParent(library, layers=layers, cache=tmp_path_factory.mktemp("warm")) as warm:
        yield warm


@pytest.fixture
def session(warm_parent: WarmParent, library: Path) -> Iterator[Session]:
    with Session(warm_parent, library / "one", NORMAL) as open_session:
        yield open_session


@pytest.fixture
def short_session(warm_parent: WarmParent, library: Path) -> Iterator[Session]:
    with Session(warm_parent, library / "one", SHORT) as open_session:
        yield open_session


@pytest.fixture(scope="session")
def canaries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Canaries]:
    folder = tmp_path_factory.mktemp("canaries")
    folder.chmod(0o777)
    file = folder / "gradebook.db"
    file.write_text("canary")
    file.chmod(0o666)
    tcp = socket.create_server(("127.0.0.1", 0))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(str(folder / "socket"))
    unix.listen()
    (folder / "socket").chmod(0o777)
    found = Canaries(file, tcp.getsockname()[1], udp.getsockname()[1], folder / "socket")

    def listen(name: str, wait: Callable[[], object]) -> None:
        try:
            wait()
        except OSError:
            return
        found.reached.append(name)

    for name, wait in (("tcp", tcp.accept), ("udp", lambda: udp.recv(10)), ("unix", unix.accept)):
        threading.Thread(target=listen, args=(name, wait), daemon=True).start()
    yield found
    for listener in (tcp, udp, unix):
        listener.close()
