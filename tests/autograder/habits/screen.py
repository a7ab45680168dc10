"""Habits of the notebook: what is printed and shown, magics, commands, figures, other programs."""

from __future__ import annotations

from .making import SHARES, SILENCE, Habit, after, answer, before, below, loses, within

OUTPUTS: dict[str, Habit] = {
    "prints in turn to both streams": within(
        "import sys\nfor k in range(8000):\n    print(k)\n    print(-k, file=sys.stderr)"
    ),
    "the same in a cell of one's own": before(
        "import sys\nfor k in range(8000):\n    print(k)\n    print(-k, file=sys.stderr)"
    ),
    "the same 5,000 times below": below(
        "import sys\nfor k in range(5000):\n    print('.')\n    print('!', file=sys.stderr)"
    ),
    "the same 3,000 times": within(
        "import sys\nfor k in range(3000):\n    print('o')\n    print('e', file=sys.stderr)", SILENCE
    ),
    "shows 12,000 numbers": within("for k in range(12_000): display(k)"),
    "shows 4,000 words": within("for k in range(4000): display(f'step {k}')", SHARES),
    "prints 100,000 lines": within("for k in range(100_000): print('step', k, 'done')"),
    "prints 3 MB at once": within("print('x' * 3_000_000)"),
    "a progress bar and prints": within(
        "from tqdm import tqdm\nfor k in tqdm(range(6000), mininterval=0): print(k)"
    ),
    "a progress bar of the notebook": within(
        "from tqdm.auto import tqdm, trange\nfor k in tqdm(range(50)): pass\nfor k in trange(20): pass"
    ),
    "a bar by hand": within("for k in range(5000): print(f'\\r{k / 50:.0f} %', end='', flush=True)\nprint()"),
    "warnings and prints": within(
        "import warnings\nwarnings.simplefilter('always')\nfor k in range(5000):\n    warnings.warn('careful')\n    print(k)"
    ),
    "logs": within(
        "import logging\nlogging.basicConfig(level=logging.DEBUG)\nfor k in range(300): logging.debug('step %d', k)\nlogging.getLogger(__name__).warning('end')"
    ),
    "a logger with its own handler": within(
        "import logging, sys\nlog = logging.getLogger('mine')\nlog.addHandler(logging.StreamHandler(sys.stdout))\nlog.setLevel('INFO')\nlog.info('hello')"
    ),
    "logs into a file": within(
        "import logging\nlogging.basicConfig(filename='run.log', level=logging.INFO, force=True)\nlogging.info('begun')"
    ),
    "clears what was shown": within(
        "from IPython.display import clear_output\nfor k in range(200):\n    clear_output(wait=True)\n    print(k)"
    ),
    "pictures in a loop": within(
        "import matplotlib.pyplot as plt\nfrom IPython.display import clear_output\nfor k in range(4):\n    clear_output(wait=True)\n    plt.plot(range(k + 1)); plt.show()"
    ),
    "a large picture": within(
        "import matplotlib.pyplot as plt, numpy as np\nplt.figure(figsize=(9, 9), dpi=140)\nplt.imshow(np.random.rand(600, 600)); plt.show()"
    ),
    "a figure that is never shown": within(
        "import matplotlib.pyplot as plt\nfor k in range(25): plt.figure(); plt.plot([k])\nplt.close('all')"
    ),
    "figures left open": within(
        "import matplotlib.pyplot as plt\nfig, axes = plt.subplots(2, 2)\naxes[0, 0].plot([1, 2])"
    ),
    "an animation": within(
        "import matplotlib.pyplot as plt\nfrom matplotlib.animation import FuncAnimation\nfrom IPython.display import HTML\nfig, ax = plt.subplots()\nline, = ax.plot([0, 1])\nmovie = FuncAnimation(fig, lambda k: line.set_ydata([0, k]), frames=3)\nHTML(movie.to_jshtml())"
    ),
    "drawn like a comic": within(
        "import matplotlib.pyplot as plt\nplt.xkcd()\nplt.plot([1, 3, 2]); plt.show()\nplt.rcdefaults()"
    ),
    "LaTeX": within(
        "import matplotlib.pyplot as plt\nplt.rcParams.update({'text.usetex': True, 'font.family': 'serif'})\nplt.title(r'$\\theta$'); plt.show()"
    ),
    "styles and sizes": within(
        "import matplotlib.pyplot as plt\nplt.style.use('seaborn-v0_8')\nplt.rcParams['figure.figsize'] = (9, 3)\nplt.rcParams['axes.grid'] = True"
    ),
    "a font that is not there": within(
        "import matplotlib.pyplot as plt\nplt.rcParams['font.family'] = 'Comic Neue'\nplt.title('spikes'); plt.show()"
    ),
    "saves figures": within(
        "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.savefig('figure.png', dpi=200, bbox_inches='tight')\nplt.savefig('figure.pdf')"
    ),
    "another backend": within(
        "import matplotlib\nmatplotlib.use('Qt5Agg')\nimport matplotlib.pyplot as plt\nplt.ion()"
    ),
    "a long table": within(
        "import pandas as pd\ndisplay(pd.DataFrame({'k': range(2000), 'square': [k * k for k in range(2000)]}))\npd.set_option('display.max_rows', None)"
    ),
    "rich text": within(
        "from IPython.display import HTML, Latex, Markdown, Math\ndisplay(Markdown('# mine'), Math('m \\\\ge 1'), HTML('<b>bold</b>'), Latex('$x$'))"
    ),
    "widgets": within(
        "import ipywidgets as widgets\nfrom ipywidgets import interact\nslider = widgets.FloatSlider(1.0, min=0, max=2)\ndisplay(slider)\n@interact(theta=slider)\ndef show(theta): print(theta)"
    ),
    "an output widget": within(
        "import ipywidgets as widgets\nout = widgets.Output()\nwith out: print('inside')\ndisplay(out)"
    ),
    "colours of the terminal": within(
        "print('\\x1b[31mred\\x1b[0m', '\\a')\nfrom rich import print as pretty\npretty('[bold]bold[/bold]')"
    ),
    "a value at the end": below("spike_count"),
    "half of a picture sign": within("print('\\ud83d')"),
}

MAGICS: dict[str, Habit] = {
    "figures as a widget": within("%matplotlib widget"),
    "figures of the old notebook": within("%matplotlib notebook"),
    "figures in a window": within("%matplotlib qt"),
    "sharp figures": within("%matplotlib inline\n%config InlineBackend.figure_format = 'retina'\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()"),
    "loads modules anew": within("%load_ext autoreload\n%autoreload 2"),
    "times the answer cell": answer("%%time\ndef spike_count(charge, threshold):\n    return int((charge >= threshold).sum())"),
    "hides what the answer cell prints": answer("%%capture out\nprint('noise')\ndef spike_count(charge, threshold):\n    return np.count_nonzero(charge >= threshold)"),
    "measures below": below("%timeit -n 20 -r 2 spike_count(np.arange(9.0), 3.0)"),
    "measures a cell": after("%%timeit -n 20 -r 2\nspike_count(np.arange(9.0), 3.0)"),
    "profiles": below("%prun -q spike_count(np.arange(9.0), 3.0)"),
    "a module written and imported": before("%%writefile my_helpers.py\ndef fires(m, theta): return m >= theta", "from my_helpers import fires"),
    "an answer out of one's own module": Habit("spike_count", ("%%writefile my_answers.py\ndef spike_count(charge, threshold):\n    return int((charge >= threshold).sum())", "from my_answers import spike_count")),
    "an answer that is run from a file": Habit("longest_silence", ("%%file silence.py\ndef longest_silence(train):\n    return max(map(len, ''.join('1' if s else '0' for s in train).split('1')))", "%run silence.py")),
    "a module of one's own, imported late": Habit("shares", ("%%writefile late_helper.py\ndef divide(a, b): return a / b", "def shares(counts):\n    import late_helper\n    total = counts.sum(1, keepdims=True)\n    return late_helper.divide(counts, np.where(total == 0, 1, total))")),
    "a package in a folder": before("import os\nos.makedirs('mine', exist_ok=True)\nopen('mine/__init__.py', 'w').write('from .a import A')\nopen('mine/a.py', 'w').write('A = 1')", "from mine import A"),
    "goes to another folder": within("%mkdir -p work\n%cd .\n%cd ..\n%pwd\n%cd -"),
    "lists and looks": within("!ls -la\n!nvidia-smi\n!pwd\nfiles = !ls\nprint(len(files))"),
    "a command with a variable": within("n = 3\n!echo {n} $HOME\n!python --version"),
    "installs": within("%pip install -q torch numpy\n!pip install --upgrade spikingjelly > /dev/null"),
    "installs by the interpreter": within("import sys\n!{sys.executable} -m pip install numpy"),
    "a cell of the shell": before("%%bash\npip list | head\nls"),
    "a cell of the shell, by its name": before("%%sh\necho hello"),
    "a cell of HTML": before("%%html\n<style>div.output {color: red}</style>", "%%javascript\nconsole.log(1)", "%%latex\n$x$", "%%markdown\n**x**"),
    "variables of the environment": within("%env MY_SEED=3\n%set_env OMP_NUM_THREADS=2\nimport os\nos.environ['CUDA_VISIBLE_DEVICES'] = '0'\nos.environ['KMP_DUPLICATE_LIB_OK'] = 'TRUE'"),
    "stored values": within("theta = 1.0\n%store theta\n%store -r theta"),
    "lists its names": within("%who\n%whos\n%lsmagic\n%history -n -l 3"),
    "help": within("len?\nimport numpy as np\nnp.argmax?"),
    "debugs": within("%pdb on\n%debug\nimport pdb\npdb.set_trace()\nbreakpoint()"),
    "shorter tracebacks": within("%xmode Minimal\n%precision 3\n%autosave 120\n%colors NoColor"),
    "wipes its names": answer("%reset -f\ndef spike_count(charge, threshold):\n    return int((charge >= threshold).sum())"),
    "wipes, and imports again": answer("%reset -f\nimport numpy as np\ndef shares(counts):\n    t = counts.sum(1, keepdims=True)\n    return np.divide(counts, t, out=np.zeros(counts.shape), where=t > 0)", SHARES),
    "an extension that is not there": within("%load_ext tensorboard\n%tensorboard --logdir runs\n%load_ext lab_black"),
    "a cell magic that is not there": answer("%%memory_of_mine\ndef spike_count(charge, threshold):\n    return sum(bool(m >= threshold) for m in charge)"),
    "an alias and a macro": within("%alias say echo\n%alias_magic t timeit\n%macro -q again 1-2"),
    "clears below": below("%who_ls\n%clear"),
    "restarts the kernel": within("get_ipython().kernel.do_shutdown(restart=True)"),
    "leaves": before("exit()", "quit"),
    "waits for someone": within("name = input('Your name: ')\nprint('Hello', name)"),
    "asks for a number": loses(
        within("seed = int(input('seed? '))"), "ValueError: invalid literal for int()", "nobody is there to give a number"
    ),
    "asks for a key": within("from getpass import getpass\nkey = getpass('key')"),
    "waits at the top": within("import asyncio\nawait asyncio.sleep(0.01)\nresults = await asyncio.gather(*(asyncio.sleep(0, k) for k in range(3)))"),
    "checks itself": below("from autograder import check\ncheck('ps0.spike_count')\ncheck('ps0.spike_count', hint=2)\ncheck('ps0.spike_count', seed=5, namespace=globals())"),
    "asserts on its check": below("assert check('ps0.spike_count') is not None\nscore = check('ps0.shares')\nprint(score)"),
}  # fmt: skip
