"""Submissions that attack: the canaries stay untouched, the next question and the next submission are graded."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from autograder.isolation.limits import Limits
from autograder.isolation.session import Session
from autograder.isolation.source import WarmParent
from tests.support import ROOT

from .calls import ATTACK, CALL, GOOD, probe
from .conftest import NORMAL, SHORT, SLEEPY, Canaries

pytestmark = pytest.mark.xdist_group("isolation")

REFUSED = ("PermissionError", "FileNotFoundError", "OSError", "ProcessLookupError", "BlockingIOError")
FORGE = """
import os, stat, struct, json
def sockets():
    found = []
    for fd in range(3, 300):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode): found.append(fd)
        except OSError: pass
    return found
def forge(*messages):
    for fd in sockets():
        for message in messages: os.write(fd, message)
def frame(value):
    text = json.dumps(value).encode()
    return struct.pack('<4sII', b'SNF1', len(text), 0) + text
"""


@dataclass(frozen=True)
class Hostile:
    """Code of a cell, its expected status, and what it may not be able to do.

    ``error`` names the exceptions one of which must end the cell. ``good`` is whether an honest answer in another
    cell is still graded as right afterwards, in the same submission.
    """

    code: str
    status: tuple[str, ...] = ("error",)
    error: tuple[str, ...] = ()
    good: bool = True
    layers: tuple[str, ...] = ()
    limits: Limits | None = None


def loops(body: str) -> str:
    return f"while True:\n    try:\n        {body}\n    except BaseException:\n        pass\n"


HOSTILE = {
    "writes to the gradebook": Hostile("open({canary!r}, 'w').write('full marks')", error=REFUSED),
    "reads the gradebook": Hostile("print(open({canary!r}).read())", error=REFUSED),
    "removes the gradebook": Hostile("import os; os.remove({canary!r})", error=REFUSED),
    "links to the gradebook": Hostile("import os; os.link({canary!r}, 'here'); open('here', 'w').write('x')", error=REFUSED),
    "a symbolic link to the gradebook": Hostile(
        "import os; os.symlink({canary!r}, 'here'); open('here', 'w').write('x')", error=REFUSED
    ),
    "reads the checks": Hostile("print(open({root!r} + '/autograder/perform/__init__.py').read())", error=REFUSED),
    "lists the checkout": Hostile("import os; print(os.listdir({root!r}))", error=REFUSED),
    "reads another set's library": Hostile("print(open({other!r}).read())", error=REFUSED),
    "changes its own library": Hostile("import tiny; open(tiny.__file__, 'a').write('x = 1')", error=REFUSED),
    "plants a file in the environment": Hostile(
        "import numpy, os; open(os.path.dirname(numpy.__file__) + '/x.py', 'w')", error=REFUSED
    ),
    "connects by TCP": Hostile("import socket; socket.create_connection(('127.0.0.1', {tcp}), 1)", error=REFUSED),
    "sends by UDP": Hostile(
        "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {udp}))", error=REFUSED
    ),
    "connects to a local socket": Hostile(
        "import socket; s = socket.socket(socket.AF_UNIX); s.connect({unix!r})", error=REFUSED
    ),
    "runs a program": Hostile("import subprocess; subprocess.run(['/bin/sh', '-c', 'true'], check=True)", error=REFUSED, layers=("seccomp",)),
    "replaces itself": Hostile("import os; os.execv('/bin/sh', ['sh'])", error=REFUSED, layers=("seccomp",)),
    "fork bomb where none is allowed": Hostile("import os\nwhile True: os.fork()", error=REFUSED, layers=("seccomp",)),
    "fork bomb where some are allowed": Hostile(
        "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass",
        status=("time", "died"),
        layers=("pid", "uid", "rlimits"),
        limits=Limits(cell_seconds=1, memory_mb=300, processes=8, threads=12, grace_seconds=0.3),
    ),
    "a daemon": Hostile(
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(600)\n    os._exit(0)",
        status=("ok",),
        layers=("pid",),
        limits=Limits(cell_seconds=1, memory_mb=300, processes=8, grace_seconds=0.3),
    ),
    "a thread that never ends": Hostile(
        "import threading, time\nthreading.Thread(target=lambda: time.sleep(600)).start()", status=("ok",)
    ),
    "ends the process": Hostile("import os; os._exit(0)", status=("died",)),
    "kills itself": Hostile("import os, signal; os.kill(os.getpid(), signal.SIGKILL); os.abort()", status=("died", "error")),
    "crashes": Hostile("import ctypes; ctypes.string_at(0)", status=("died",)),
    "recurses in C": Hostile(
        "import sys\nsys.setrecursionlimit(10**9)\ndef r(x): return sorted([x], key=r)\nr(1)", status=("died", "error")
    ),
    "loops": Hostile("while True: pass", status=("time",)),
    "swallows every exception": Hostile(loops("pass"), status=("time", "died")),
    "swallows them in a generator": Hostile(loops("list(iter(int, 1))"), status=("time", "died")),
    "ignores signals": Hostile(
        "import signal\nfor n in range(1, 64):\n    try: signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError): pass\n"
        "while True: pass",
        status=("time", "died"),
    ),
    "allocates without end": Hostile("x = []\nwhile True: x.append(bytearray(10**7))", error=("MemoryError",)),
    "allocates a tensor without end": Hostile(
        "import torch\nx = []\nwhile True: x.append(torch.ones(10**7))", error=("RuntimeError", "MemoryError")
    ),
    "fills the scratch folder": Hostile("with open('x', 'wb') as f:\n    while True: f.write(bytes(10**6))", error=("OSError",)),
    "fills it by many files": Hostile(
        "for n in range(100000):\n    with open(str(n), 'wb') as f: f.write(bytes(100_000))", error=("OSError",), layers=("view",)
    ),
    "prints without end": Hostile("while True: print('x' * 10000)", status=("time",)),
    "prints into the descriptors": Hostile(
        "import os\nfor fd in (1, 2):\n    os.write(fd, b'x' * 100000)", status=("ok",)
    ),
    "raises its limits": Hostile(
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))",
        error=("ValueError", "PermissionError"),
    ),
    "reads its parent's memory": Hostile("print(open('/proc/%d/environ' % __import__('os').getppid()).read())", error=REFUSED),
    "reads every process": Hostile("import os; print([n for n in os.listdir('/proc') if n.isdigit()])", error=REFUSED),
    "signals the grader": Hostile("import os, signal; os.kill({pid}, signal.SIGTERM)", error=REFUSED),
    "signals everyone": Hostile("import os, signal; os.kill(-1, signal.SIGKILL)", status=("error", "ok")),
    "traces the grader": Hostile(
        "import ctypes, os\nl = ctypes.CDLL(None, use_errno=True)\n"
        "assert l.ptrace(16, {pid}, 0, 0) == 0, 'refused'", error=("AssertionError",)
    ),
    "mounts": Hostile(
        "import ctypes\nl = ctypes.CDLL(None, use_errno=True)\nassert l.mount(b'none', b'/', None, 1 << 14, None) == 0", error=("AssertionError",)
    ),
    "makes namespaces": Hostile(
        "import ctypes\nl = ctypes.CDLL(None, use_errno=True)\nassert l.unshare(0x10000000) == 0", error=("AssertionError",), layers=("seccomp",)
    ),
    "means to outlive its parent": Hostile(
        "import ctypes\nl = ctypes.CDLL(None, use_errno=True)\nassert l.prctl(1, 0, 0, 0, 0) == 0", error=("AssertionError",), layers=("seccomp",)
    ),
    "becomes root": Hostile("import os; os.setuid(0)\nassert os.geteuid() == 0; print(open('/etc/shadow').read())", error=REFUSED),
    "hides memory from its limits": Hostile(
        "import os; os.memfd_create('x')", error=REFUSED, layers=("seccomp",)
    ),
    "forges noise": Hostile(FORGE + "forge(b'noise' * 1000)", status=("died",)),
    "forges a right answer": Hostile(
        FORGE + "forge(*[frame({{'id': n, 'op': 'case', 'index': 0}}) for n in range(9)])",
        status=("died",),
    ),
    "forges a deep frame": Hostile(FORGE + "forge(struct.pack('<4sII', b'SNF1', 200000, 0) + b'[' * 200000)", status=("died",)),
    "forges a frame of 4 GB": Hostile(FORGE + "forge(struct.pack('<4sII', b'SNF1', 0xffffffff, 0xffffffff))", status=("died",)),
    "forges an object array": Hostile(
        FORGE + "import numpy, io\nb = io.BytesIO(); numpy.save(b, numpy.array([print]), allow_pickle=True)\nb = b.getvalue()\n"
        "text = json.dumps({{'op': 'case', 'id': 2, 'index': 0, 'arrays': ['y']}}).encode()\n"
        "forge(struct.pack('<4sII', b'SNF1', len(text), 1) + text + struct.pack('<Q', len(b)) + b)",
        status=("died",),
    ),
    "forges an output with markup": Hostile(
        FORGE + "forge(*[frame({{'id': n, 'op': 'cell', 'status': 'ok', 'outputs': [{{'output_type': 'display_data', 'data': {{'text/html': '<script>', 'text/plain': 3}}}}]}}) for n in range(9)])",
        status=("died",),
    ),
    "closes its connection": Hostile(FORGE + "for fd in sockets(): os.close(fd)", status=("died",)),
    "answers for ever": Hostile(
        FORGE + "import threading\ndef spam():\n    while True: forge(frame({{'op': 'ready'}}))\nthreading.Thread(target=spam, daemon=True).start()\nimport time; time.sleep(5)",
        status=("died",),
    ),
    "drips bytes": Hostile(
        FORGE + "import time\nos.write(sockets()[0], struct.pack('<4sII', b'SNF1', 100, 0))\n" + loops("os.write(sockets()[0], b' '); time.sleep(0.2)"),
        status=("time", "died"),
        limits=SLEEPY,
    ),
    "patches what compares": Hostile(
        "import torch, numpy\ntorch.allclose = numpy.allclose = numpy.testing.assert_allclose = lambda *a, **k: True\n"
        "torch.equal = numpy.array_equal = numpy.isclose = lambda *a, **k: True",
        status=("ok",),
    ),
    "patches the serialiser": Hostile(
        "import msgspec\nmsgspec.json.encode = lambda *a, **k: b'{{}}'", status=("died",)
    ),
    "changes the shell": Hostile(
        "get_ipython().input_transformers_post.append(lambda lines: ['pass\\n'])\n"
        "get_ipython().events.register('pre_run_cell', lambda info: display(-1))", status=("ok",)
    ),
    "drops assertions": Hostile(
        "import ast\nclass Drop(ast.NodeTransformer):\n    def visit_Assert(self, node): return ast.Pass()\n"
        "get_ipython().ast_transformers.append(Drop())", status=("ok",)
    ),
    "empties sys.modules": Hostile("import sys\nfor name in list(sys.modules): sys.modules.pop(name)", status=("ok", "error", "died"), good=False),
    "deletes the builtins": Hostile("import builtins\nfor name in list(vars(builtins)): delattr(builtins, name)", status=("ok", "error", "died", "time"), good=False),
    "patches the worker": Hostile(
        "import sys\nfor module in list(sys.modules.values()):\n"
        "    if getattr(module, '__name__', '').startswith('isolation'):\n"
        "        for name in list(vars(module)):\n"
        "            if not name.startswith('__'): setattr(module, name, lambda *a, **k: {{}})",
        status=("ok", "error", "died"), good=False,
    ),
}  # fmt: skip


def fill(code: str, canaries: Canaries, library: Path) -> str:
    return code.format(
        canary=str(canaries.file), root=str(ROOT), other=str(library / "other" / "secret.py"), tcp=canaries.tcp,
        udp=canaries.udp, unix=str(canaries.unix), pid=os.getpid(),
    )  # fmt: skip


def workers(warm_parent: WarmParent) -> list[psutil.Process]:
    """Processes below the warm parent (whose own first process, in its namespace, is not counted)."""
    assert warm_parent.pid is not None
    warm = psutil.Process(warm_parent.pid)
    children = warm.children()
    inner = children[0] if warm_parent.layers.has("pid") and children else warm
    return [child for child in inner.children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE]


def all_gone(warm_parent: WarmParent) -> bool:
    end = time.monotonic() + 60
    while workers(warm_parent) and time.monotonic() < end:
        time.sleep(0.02)
    return not workers(warm_parent)


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_cell(
    name: str, warm_parent: WarmParent, library: Path, canaries: Canaries, need: Callable[..., None]
) -> None:
    case = HOSTILE[name]
    need(*case.layers)
    limits = case.limits or (SHORT if "time" in case.status else NORMAL)
    with Session(warm_parent, library / "one", limits) as session:
        session.run_cell(GOOD)
        result = session.run_cell(fill(case.code, canaries, library) if "{" in case.code else case.code)
        assert result.status in case.status, result
        if case.error:
            assert result.outputs[-1]["ename"] in case.error, result.outputs
        assert "canary" not in str(result.outputs)
        (reply,) = probe(session, CALL, "call", ["good"], [1.5]).replies
        if case.good:
            assert reply.arrays.get("y") == 2.5, (result, reply)
    assert canaries.untouched()
    assert all_gone(warm_parent)
    with Session(warm_parent, library / "one", NORMAL) as following:
        following.run_cell(GOOD)
        (reply,) = probe(following, CALL, "call", ["good"], [1.5]).replies
        assert reply.arrays["y"] == 2.5


ANSWERS = {
    "an object with lying methods": (
        "class Liar:\n    def __getattr__(self, n): return lambda *a, **k: 2.5\n    def __eq__(self, o): return True\n"
        "    def __float__(self): return 2.5\n    def tolist(self): return 2.5\n    def __array__(self, *a): raise SystemExit\n"
        "attack = lambda x: Liar()",
        "form",
    ),
    "a float that lies": (
        "class F(float):\n    def __eq__(self, o): return True\n    def __sub__(self, o): return F(0)\nattack = lambda x: F(9)",
        "form",
    ),
    "an array subclass": (
        "import numpy as np\nclass A(np.ndarray): pass\nattack = lambda x: np.zeros(2).view(A)",
        "form",
    ),
    "a tensor subclass that is not plain": (
        "import torch\nclass T(torch.Tensor):\n    @classmethod\n    def __torch_function__(cls, f, t, a=(), k=None): raise OSError\n"
        "attack = lambda x: torch.zeros(2).as_subclass(T)",
        "form",
    ),
    "an array of objects": ("import numpy as np\nattack = lambda x: np.array([print])", "form"),
    "a sparse tensor": ("import torch\nattack = lambda x: torch.eye(3).to_sparse()", "form"),
    "a huge array": ("import numpy as np\nattack = lambda x: np.zeros(11_000_000, dtype=np.int8)", "form"),
    "a view of one number as a huge array": (
        "import numpy as np\nattack = lambda x: np.broadcast_to(np.float64(1), (10**6, 10**6))",
        "error form",
    ),
    "a list within itself": ("x = []\nx.append(x)\nattack = lambda _: x", "error form"),
    "a text": ("attack = lambda x: '2.5'", "form"),
    "an exception that cannot be shown": (
        "class E(Exception):\n    def __str__(self): raise E\ndef attack(x): raise E", "error died"
    ),
    "an exception with a long text": ("def attack(x): raise ValueError('x' * 10**7)", "error"),
    "an interrupt": ("def attack(x): raise KeyboardInterrupt", "error"),
    "the end of the process": ("import os\nattack = lambda x: os._exit(0)", "died"),
    "an endless loop": ("def attack(x):\n    while True: pass", "time"),
    "an endless loop that swallows": (f"def attack(x):\n{''.join('    ' + line for line in loops('pass').splitlines(True))}", "time"),
    "memory without end": ("def attack(x):\n    y = []\n    while True: y.append(bytearray(10**7))", "error"),
    "endless print": ("def attack(x):\n    while True: print('x' * 10**5)", "time error"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", ANSWERS)
def test_hostile_answer(name: str, warm_parent: WarmParent, library: Path, canaries: Canaries) -> None:
    code, kinds = ANSWERS[name]
    with Session(warm_parent, library / "one", SHORT if "time" in kinds else NORMAL) as session:
        session.run_cell(GOOD)
        session.run_cell(code)
        (reply,) = probe(session, ATTACK, "call", ["attack"], [1.5]).replies
        assert reply.kind in kinds.split(), reply
        assert reply.arrays == {}
        assert 0 < len(reply.text) < 5000
        (reply,) = probe(session, CALL, "call", ["good"], [1.5]).replies
        assert reply.arrays["y"] == 2.5
    assert canaries.untouched()
    assert all_gone(warm_parent)


def test_nan_comes_back_as_nan(session: Session) -> None:
    """NaN and infinity are numbers to the protocol; whoever compares must look for them."""
    session.run_cell("import numpy as np\nattack = lambda x: np.array([np.nan, np.inf, x])")
    (reply,) = probe(session, ATTACK, "call", ["attack"], [1.5]).replies
    assert str(reply.arrays["y"]) == "[nan inf 1.5]"
