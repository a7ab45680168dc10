"""Everyday Python that works in a notebook's kernel works in the sandbox, or does nothing and says so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from autograder.isolation.limits import Limits
from autograder.isolation.session import CellResult, Session
from autograder.isolation.source import WarmParent

from .calls import CALL, probe

pytestmark = pytest.mark.xdist_group("isolation")


@dataclass(frozen=True)
class Habit:
    """Cells one after the other; all end well, ``said`` stands in the outputs of the last one."""

    cells: tuple[str, ...]
    said: str = ""


def habit(*cells: str, said: str = "") -> Habit:
    return Habit(cells, said)


HABITS = {
    "a module of one's own": habit(
        "%%writefile own_module.py\ndef third(x): return x / 3", "import own_module\nprint(own_module.third(6))", said="2.0"
    ),
    "a module that is written by code": habit(
        "open('by_hand.py', 'w').write('A = 4')\nimport by_hand\nprint(by_hand.A)", said="4"
    ),
    "a module in a folder": habit(
        "import os\nos.makedirs('pack', exist_ok=True)\nopen('pack/__init__.py', 'w').write('B = 5')", "import pack; print(pack.B)",
        said="5",
    ),
    "goes to a folder": habit("%mkdir sub\nimport os; os.makedirs('sub', exist_ok=True)\n%cd sub\n%cd ..\n%cd -q .\n%pwd", said="scratch"),
    "bookmarks and stored values": habit("kept = 3\n%store kept\n%bookmark here\n%store -r kept\n%store"),
    "a command": habit("!ls -l | head\nlines = !cat file.txt\nprint(len(lines))", said="`ls -l | head` was not run"),
    "a command among lines": habit("for i in range(2):\n    !echo {i}\nprint('after')", said="after"),
    "installs a package": habit("%pip install -q numpy\n!pip install numpy\n%conda install numpy\nprint('on')", said="on"),
    "installs a package without a sign": habit("pip install pandas", said="`pip install pandas`"),
    "a cell for the shell": habit("%%bash\necho one\nls", said="was not run"),
    "asks a person": habit("name = input('your name? ')\nprint(repr(name))", said="your name? "),
    "asks for a secret": habit("from getpass import getpass\nprint(repr(getpass('key: ')))", said="''"),
    "breakpoints": habit("breakpoint()\nimport pdb; pdb.set_trace()\n%pdb on\n%debug\nprint('on')", said="on"),
    "loads pictures by workers": habit(
        "import torch\nfrom torch.utils.data import DataLoader, TensorDataset\n"
        "data = TensorDataset(torch.arange(10.0))\n"
        "loader = DataLoader(data, 4, True, num_workers=2, persistent_workers=True, prefetch_factor=4)\n"
        "print(sum(int(x.sum()) for (x,) in loader), loader.num_workers)", said="45 0",
    ),
    "a pool": habit(
        "import multiprocessing as mp\nfrom multiprocessing import Pool\n"
        "with mp.Pool(2) as pool: a = pool.map(abs, [-1, 2])\n"
        "with Pool() as pool: b = pool.starmap(pow, [(2, 3)])\n"
        "with mp.get_context('spawn').Pool(2) as pool: c = list(pool.imap(abs, [-5]))\nprint(a, b, c)", said="[1, 2] [8] [5]",
    ),
    "a process": habit(
        "import multiprocessing as mp\nq = mp.Queue()\np = mp.Process(target=q.put, args=(7,))\np.start(); p.join(); print(q.get(timeout=5))",
        said="7",
    ),
    "a process that is stopped": habit(
        "import multiprocessing as mp, time\nworker = mp.Process(target=time.sleep, args=(0.05,), daemon=True)\n"
        "worker.start(); worker.terminate(); worker.join(); print(worker.is_alive(), worker.pid > 0)", said="False True",
    ),
    "what processes share": habit(
        "import multiprocessing as mp\nfrom multiprocessing import shared_memory\n"
        "with mp.Manager() as manager: shared = manager.dict(); shared['a'] = 1\n"
        "room = shared_memory.SharedMemory(create=True, size=100); room.close(); room.unlink()\n"
        "print(shared['a'], mp.Value('i', 3).value)", said="1 3",
    ),
    "a start method": habit(
        "import multiprocessing as mp\nmp.set_start_method('spawn', force=True)\n"
        "with mp.Pool(2) as pool: print(pool.map(abs, [-6]))", said="[6]",
    ),
    "processes of torch": habit(
        "import torch.multiprocessing as mp\ndef work(rank, text): print(text, rank)\nmp.spawn(work, args=('rank',), nprocs=2)\n"
        "with mp.Pool(2) as pool: print(pool.map(abs, [-8]))", said="rank 1\n[8]",
    ),
    "futures by their module": habit(
        "from concurrent.futures.process import ProcessPoolExecutor\n"
        "with ProcessPoolExecutor(2) as pool: print(list(pool.map(abs, [-9])))", said="[9]",
    ),
    "magics that nobody uses": habit("%notebook all.ipynb\n%rehashx\n%dhist\n%killbgscripts\n%logstart -q\n%logstop"),
    "a pool of futures": habit(
        "from concurrent.futures import ProcessPoolExecutor\n"
        "with ProcessPoolExecutor(max_workers=2) as pool: print(list(pool.map(abs, [-3, 4])))", said="[3, 4]",
    ),
    "many threads": habit(
        "from concurrent.futures import ThreadPoolExecutor\nimport time\n"
        "with ThreadPoolExecutor(60) as pool: print(sum(pool.map(lambda i: (time.sleep(0.02), i)[1], range(120))))", said="7140",
    ),
    "joblib": habit(
        "from joblib import Parallel, delayed\nprint(Parallel(n_jobs=2)(delayed(abs)(x) for x in (-1, -2)))\n"
        "print(Parallel(n_jobs=-1, backend='multiprocessing')(delayed(abs)(x) for x in (-1, -2)))", said="[1, 2]",
    ),
    "a compiled network": habit(
        "import torch\nfast = torch.compile(torch.nn.Linear(2, 2))\n@torch.compile\ndef f(x): return x + 1\n"
        "@torch.compile(dynamic=True)\ndef g(x): return x * 2\nprint(fast(torch.ones(1, 2)).shape, f(1), g(2))", said="2 4",
    ),
    "a fault handler": habit("import faulthandler\nfaulthandler.enable()"),
    "the kernel": habit("get_ipython().kernel.do_shutdown(True)\nget_ipython().kernel.shell"),
    "the memory in use": habit("import psutil\nprint(psutil.virtual_memory().total > 0, psutil.Process().memory_info().rss > 0, psutil.cpu_percent() >= 0)", said="True True True"),
    "its own process": habit("print(open('/proc/self/status').read()[:5])", said="Name:"),
    "an array that is never touched": habit("import numpy as np\nroom = np.empty(290_000_000)\ndel room"),
    "another backend": habit(
        "%matplotlib widget\n%matplotlib notebook\n%matplotlib\nimport matplotlib\nmatplotlib.use('TkAgg')\n"
        "import matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()", said="Figure size",
    ),
    "LaTeX in figures": habit(
        "import matplotlib.pyplot as plt\nplt.rcParams['text.usetex'] = True\nplt.rc('text', usetex=True)\n"
        "plt.title('$x^2$'); plt.show()", said="Figure size",
    ),
    "a style with its context": habit(
        "import matplotlib.pyplot as plt\nplt.style.use('ggplot')\nwith plt.xkcd(), plt.style.context('dark_background'):\n"
        "    plt.plot([1, 2]); plt.show()", said="Figure size",
    ),
    "widgets": habit("from ipywidgets import interact, IntSlider\n@interact(x=IntSlider(3))\ndef f(x): print('x is', x)"),
    "magics of the notebook": habit("%autosave 60\n%connect_info\n%clear\n%less x\n%config InlineBackend.figure_format = 'retina'\nprint('on')", said="on"),
    "extensions": habit("%load_ext autoreload\n%autoreload 2\n%load_ext tensorboard_of_mine\n%tensorboard_of_mine --logdir x\nprint('on')", said="on"),
    "a magic that is not there on a cell": habit("%%heatmap_of_mine\ny = 3\nprint('y is', y)", said="y is 3"),
    "a note is said once": habit("for i in range(20):\n    !true"),
    "looks things up": habit("len?\nimport numpy as np\nnp.where?\n%pinfo len\n%who\n%whos\n%history -l 2"),
    "a checkpoint of 100 MB": habit("import torch\ntorch.save(torch.zeros(25_000_000), 'net.pt')\nprint(torch.load('net.pt').shape)", said="25000000"),
    "asks for its folder and account": habit(
        "import getpass, os, pathlib, tempfile\nprint(getpass.getuser())\npathlib.Path.home().joinpath('x.txt').write_text('x')\n"
        "with tempfile.TemporaryDirectory() as d: open(d + '/y', 'w').write('y')\nos.chdir(os.getcwd())", said="student",
    ),
    "waits": habit("import asyncio\nawait asyncio.sleep(0.01)\nasync def f(): return 3\nprint(await f())", said="3"),
    "numbers of the streams": habit("import sys\nsys.stdout.fileno(); sys.stderr.fileno(); sys.stdout.flush(); sys.stdout.isatty()"),
    "a system command of os": habit("import os\nprint(os.system('clear'), repr(os.popen('ls').read()))", said="127 ''"),
    "a time of day and a timer": habit("%timeit -n1 -r1 sum(range(10))\n%time x = 3\n%prun -q sum([1])"),
}  # fmt: skip


def text(result: CellResult) -> str:
    return "".join(part.get("text", "") + str(part.get("data", "")) for part in result.outputs)


@pytest.fixture(scope="module")
def everyday(warm_parent: WarmParent, library: Path) -> Session:
    return Session(warm_parent, library / "one", Limits())


@pytest.mark.slow
@pytest.mark.parametrize("name", HABITS)
def test_a_habit_ends_well(name: str, everyday: Session) -> None:
    results = [everyday.run_cell(source) for source in HABITS[name].cells]
    assert [result.status for result in results] == ["ok"] * len(results), results
    assert HABITS[name].said in text(results[-1])
    assert everyday.restarts == 0


def test_a_program_is_refused_in_words(session: Session) -> None:
    result = session.run_cell("import subprocess\nprint('so far')\nsubprocess.run(['git', 'status'])")
    assert result.status == "error"
    assert (result.outputs[-1]["ename"], result.outputs[-1]["line"]) == (
        "PermissionError",
        "subprocess.run(['git', 'status'])",
    )
    assert "no program can be started while a notebook is graded" in result.outputs[-1]["evalue"]


def test_questions_without_end_come_to_an_end(session: Session) -> None:
    result = session.run_cell("while input('more? ') != 'no': pass")
    assert (result.status, result.outputs[-1]["ename"]) == ("error", "EOFError")
    assert text(result).count("nobody is there") == 1


def test_a_magic_in_a_wrong_way_is_an_error(session: Session) -> None:
    result = session.run_cell("%run no_such_file.py")
    assert result.status == "error"
    assert result.outputs[-1]["output_type"] == "error"


IN_AN_ANSWER = """
def good(x):
    import multiprocessing, subprocess
    from torch.utils.data import DataLoader
    input("more? ")
    try:
        subprocess.run(["ls"])
    except PermissionError:
        x += 1
    with multiprocessing.Pool(2) as pool:
        return sum(pool.map(abs, [x])) + len(list(DataLoader(range(4), num_workers=2)))
"""


def test_an_answer_and_a_given_cell_have_the_same(session: Session) -> None:
    assert session.run_cell(IN_AN_ANSWER).status == "ok"
    (reply,) = probe(session, CALL, "call", ["good"], [1.5]).replies
    assert reply.arrays["y"] == 6.5, reply
    result = session.run_cell("print(good(1))", given=True)
    assert (result.status, session.restarts) == ("ok", 0), result
    assert text(result).endswith("6\n")
