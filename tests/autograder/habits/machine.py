"""Habits with the machine: processes, threads, memory, files, global settings, random numbers, signals."""

from __future__ import annotations

from .making import (
    DECODING,
    LIF,
    RATE,
    SHARES,
    SILENCE,
    Habit,
    answer,
    loses,
    within,
)

MACHINE: dict[str, Habit] = {
    "loads by two workers": within(
        "import torch\nfrom torch.utils.data import DataLoader\nprint(len(list(DataLoader(torch.arange(12), batch_size=5, num_workers=2))))"
    ),
    "loads by workers that stay": within(
        "import torch\nfrom torch.utils.data import DataLoader, TensorDataset\nlist(DataLoader(TensorDataset(torch.eye(4)), 2, shuffle=True, num_workers=4, persistent_workers=True, pin_memory=True))",
        DECODING,
    ),
    "a pool": within("import multiprocessing as mp\nwith mp.Pool(2) as pool: print(pool.map(abs, [-1, -2]))"),
    "a pool of futures": within(
        "from concurrent.futures import ProcessPoolExecutor\nwith ProcessPoolExecutor(2) as pool: print(list(pool.map(abs, [-1])))"
    ),
    "a process of one's own": within(
        "from multiprocessing import Process, Queue\nq = Queue()\np = Process(target=q.put, args=(1,))\np.start()\nprint(q.get(timeout=10))\np.join()"
    ),
    "forty threads": within(
        "from concurrent.futures import ThreadPoolExecutor\nimport time\nwith ThreadPoolExecutor(40) as pool: print(sum(pool.map(lambda k: (time.sleep(0.01), k)[1], range(80))))"
    ),
    "joblib": within(
        "from joblib import Parallel, delayed\nprint(Parallel(n_jobs=2)(delayed(abs)(k) for k in (-1, -2)))"
    ),
    "neighbours by two jobs": within(
        "import numpy as np\nfrom sklearn.neighbors import KNeighborsClassifier\nx = np.random.rand(40, 2)\nKNeighborsClassifier(n_jobs=2).fit(x, np.arange(40) % 2).predict(x)"
    ),
    "threads of torch": within(
        "import torch\ntorch.set_num_threads(8)\n(torch.randn(400, 400) @ torch.randn(400, 400)).sum()", LIF
    ),
    "compiles": answer(
        "import torch\n@torch.compile\ndef lif_step(v, x, decay, threshold, reset):\n    m = decay * v + x\n    s = (m >= threshold).to(m.dtype)\n    return (s, m - s * threshold) if reset == 'soft' else (s, m * (1 - s))\n\ndef run(currents, decay, threshold, reset, v0=0.0):\n    v, out = torch.full_like(currents[0], v0), []\n    for x in currents:\n        s, v = lif_step(v, x, decay, threshold, reset)\n        out.append((s, v))\n    return tuple(torch.stack(part) for part in zip(*out))",
        LIF,
    ),
    "a thread in the background": within(
        "import threading, time\ndef beat():\n    while True: time.sleep(0.2)\nthreading.Thread(target=beat, daemon=True).start()"
    ),
    "a thread that prints": within(
        "import threading\nthreads = [threading.Thread(target=print, args=(k,)) for k in range(20)]\n[t.start() for t in threads]\n[t.join() for t in threads]"
    ),
    "a timer": within("import threading\nthreading.Timer(0.05, lambda: print('late')).start()"),
    "a program": loses(
        within("import subprocess\nprint(subprocess.run(['git', 'log'], capture_output=True).stdout)"),
        "PermissionError: [Errno 1] no program can be started while a notebook is graded",
        "a sandbox starts no programs",
    ),
    "a program, if there is one": within(
        "import subprocess\ntry:\n    subprocess.check_output(['nvidia-smi'])\nexcept Exception as error:\n    print('no card:', error)"
    ),
    "the shell of os": within("import os\nos.system('clear')\nos.popen('ls').read()"),
    "asks for the card": within(
        "import torch\ndevice = 'cuda' if torch.cuda.is_available() else 'mps' if torch.backends.mps.is_available() else 'cpu'\nprint(torch.zeros(2).to(device).device)",
        DECODING,
    ),
    "a gigabyte": within("import numpy as np\nbig = np.ones(90_000_000)\nprint(big.sum())\ndel big"),
    "an array that is never touched": within("import numpy as np\nroom = np.empty(290_000_000)\ndel room"),
    "collects": within("import gc\ngc.collect()\ngc.disable()\ngc.set_threshold(10)"),
    "a file of one's own": within("open('notes.txt', 'w').write('x')\nprint(open('notes.txt').read())"),
    "a checkpoint": within(
        "import torch\ntorch.save({'w': torch.zeros(15_000_000)}, 'model.pt')\nprint(torch.load('model.pt')['w'].shape)",
        DECODING,
    ),
    "arrays in files": within(
        "import numpy as np\nnp.save('a.npy', np.arange(5))\nnp.savez('b.npz', x=np.ones(3))\nnp.savetxt('c.csv', np.eye(2))\nprint(np.load('a.npy').sum())"
    ),
    "pickles": within(
        "import pickle\npickle.dump({'a': 1}, open('a.pkl', 'wb'))\nprint(pickle.load(open('a.pkl', 'rb')))"
    ),
    "a file that was not handed in": loses(
        within("import json\nsettings = json.load(open('my_settings.json'))"),
        "FileNotFoundError: [Errno 2] No such file or directory: 'my_settings.json'",
        "only the notebook is handed in",
    ),
    "a file, if it is there": within(
        "import os\nif os.path.exists('my_settings.json'): settings = open('my_settings.json').read()"
    ),
    "its home and account": within(
        "import getpass, os, pathlib\npathlib.Path('~/x.txt').expanduser().write_text('x')\nprint(getpass.getuser(), os.getcwd(), os.cpu_count())"
    ),
    "temporary files": within(
        "import tempfile\nwith tempfile.NamedTemporaryFile('w', suffix='.txt') as f: f.write('x')\nprint(tempfile.mkdtemp())"
    ),
    "changes its folder": within("import os\nos.makedirs('deep/er', exist_ok=True)\nos.chdir('deep/er')"),
    "looks above": within(
        "import sys, os\nsys.path.append('..')\nsys.path.insert(0, os.path.abspath('../src'))"
    ),
    "how much memory": within(
        "import psutil\nprint(psutil.virtual_memory().percent, psutil.cpu_count(), psutil.Process().memory_info().rss, psutil.Process().cpu_percent())"
    ),
    "its own process": within("import resource\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"),
    "the data of the course": within(
        "import snnkit\nfrom snnkit import datasets\nprint(len(datasets.digits('train').labels))"
    ),
    "a fault handler": within("import faulthandler\nfaulthandler.enable()"),
    "signals": within(
        "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\nsignal.signal(signal.SIGTERM, lambda *a: None)"
    ),
    "an alarm": within(
        "import signal\nclass Slow(Exception): pass\ndef late(*a): raise Slow\nold = signal.signal(signal.SIGALRM, late)\nsignal.alarm(30)\nsum(range(10))\nsignal.alarm(0)\nsignal.signal(signal.SIGALRM, old)"
    ),
    "at the end": within("import atexit\natexit.register(print, 'bye')"),
    "sleeps": within("import time\ntime.sleep(0.2)\nprint(time.time(), time.strftime('%H:%M'))"),
    "deep recursion": within(
        "import sys\nsys.setrecursionlimit(10**6)\ndef down(n): return 0 if n == 0 else 1 + down(n - 1)\ndown(15_000)"
    ),
    "opens many files": within(
        "files = [open(f'{k}.txt', 'w') for k in range(60)]\n[f.close() for f in files]"
    ),
    "a database": within(
        "import sqlite3\ndb = sqlite3.connect('my.db')\ndb.execute('create table t (x)')\ndb.commit()"
    ),
    "the network, guarded": within(
        "import urllib.request\ntry:\n    urllib.request.urlopen('https://example.org', timeout=2)\nexcept OSError as error:\n    print('offline', error)"
    ),
    "the network": loses(
        within("import urllib.request\nurllib.request.urlretrieve('https://example.org/a.csv', 'a.csv')"),
        "URLError: <urlopen error",
        "there is no network in a sandbox",
    ),
    "Colab, if it is there": within(
        "import sys\nIN_COLAB = 'google.colab' in sys.modules\nif IN_COLAB:\n    from google.colab import drive\n    drive.mount('/content/drive')"
    ),
    "Colab": loses(
        within("from google.colab import drive\ndrive.mount('/content/drive')"),
        "ModuleNotFoundError: No module named 'google",
        "Colab's own module exists on Colab only",
    ),
}

SETTINGS: dict[str, Habit] = {
    "errors of NumPy": within("import numpy as np\nnp.seterr(all='raise')", SHARES),
    "warnings as errors": within("import warnings\nwarnings.filterwarnings('error')", SHARES),
    "no warnings": within("import warnings\nwarnings.filterwarnings('ignore')"),
    "double precision by default": within("import torch\ntorch.set_default_dtype(torch.float64)", LIF),
    "half precision by default": within("import torch\ntorch.set_default_dtype(torch.float16)", LIF),
    "no gradients": within("import torch\ntorch.set_grad_enabled(False)", LIF),
    "anomalies": within("import torch\ntorch.autograd.set_detect_anomaly(True)", LIF),
    "determinism": within("import torch, os\nos.environ['CUBLAS_WORKSPACE_CONFIG'] = ':4096:8'\ntorch.use_deterministic_algorithms(True)\ntorch.backends.cudnn.benchmark = False", LIF),
    "prints of arrays": within("import numpy as np, torch\nnp.set_printoptions(precision=2, suppress=True, threshold=10**6)\ntorch.set_printoptions(sci_mode=False)"),
    "seeds": within("import random, numpy as np, torch\nrandom.seed(1); np.random.seed(1); torch.manual_seed(1)", RATE),
    "seeds in the answer": answer("import torch\ndef rate_encode(values, steps, generator):\n    torch.manual_seed(0)\n    return torch.bernoulli(values.expand(steps, *values.shape), generator=generator)", RATE),
    "a generator for all": within("import numpy as np, torch\nrng = np.random.default_rng(3)\ngen = torch.Generator().manual_seed(3)\nrng.normal(size=3); torch.rand(3, generator=gen)", RATE),
    "a seed that is drawn": within("import random, time\nrandom.seed(time.time())\ntorch_seed = random.randrange(10**6)", RATE),
    "the words of the machine": within("import locale\ntry:\n    locale.setlocale(locale.LC_ALL, 'de_DE.UTF-8')\nexcept locale.Error:\n    locale.setlocale(locale.LC_ALL, '')"),
    "exact decimals": within("from decimal import Decimal, getcontext\ngetcontext().prec = 5"),
    "other options of pandas": within("import pandas as pd\npd.options.mode.chained_assignment = None"),
    "a hook for errors": within("import sys\nsys.excepthook = lambda *a: print('oops')"),
    "a recursion limit": within("import sys\nsys.setrecursionlimit(3000)\nsys.setswitchinterval(0.01)"),
    "patches torch": within("import torch\n_old = torch.rand\ntorch.rand = lambda *a, **k: _old(*a, **k)", RATE),
    "patches print": within("import builtins\n_print = print\ndef print(*a, **k): _print('>>', *a, **k)\nprint('x')"),
    "hides a builtin": within("sum = 3\nlist = [1]\nmax = None"),
    "hides a builtin that it needs": loses(
        Habit(SILENCE, ("max = 3", "def longest_silence(train):\n    best = now = 0\n    for s in train:\n        now = 0 if s else now + 1\n        best = max(best, now)\n    return best")),
        "TypeError: 'int' object is not callable", "the student's own slip, in the kernel as well",
    ),
    "the threads of BLAS": within("import os\nfor name in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS'): os.environ[name] = '4'"),
}  # fmt: skip
