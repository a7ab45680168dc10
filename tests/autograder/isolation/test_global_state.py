"""In the sandbox: given cells and probes meet the state that the course ships, the student's cells their own."""

from __future__ import annotations

from .calls import probe
from .test_engine import text_of

FLOAT64 = "import torch\ntorch.set_default_dtype(torch.float64)\ntorch.set_grad_enabled(False)"
DTYPES = "import torch\nprint(torch.ones(1).dtype, torch.is_grad_enabled())"


def test_a_given_cell_runs_as_shipped_and_the_student_has_the_own_state_back(session):
    session.run_cell(FLOAT64)
    assert text_of(session.run_cell(DTYPES, given=True)) == "torch.float32 True\n"
    assert text_of(session.run_cell(DTYPES)) == "torch.float64 False\n"


def test_what_a_given_cell_changes_stays(session):
    session.run_cell("import numpy as np\nnp.seterr(divide='raise')\nnp.set_printoptions(precision=1)")
    session.run_cell("import numpy as np\nnp.set_printoptions(precision=2)", given=True)
    own = text_of(session.run_cell("print(np.geterr()['divide'], np.array([1.2345]))"))
    assert own == "raise [1.23]\n"
    given = text_of(session.run_cell("print(np.geterr()['divide'], np.array([1.2345]))", given=True))
    assert given == "warn [1.23]\n"


def test_random_numbers_of_given_cells_go_on_unless_the_student_drew_some(session):
    """As in a notebook run from its top; otherwise the same in every run, whatever the student did."""
    draw = "import torch\nprint(torch.rand(1).item())"

    def drawn(*between, given=True):
        session.run_cell("import torch\ntorch.manual_seed(5)", given=True)
        for source in between:
            session.run_cell(source)
        return text_of(session.run_cell(draw, given=given))

    untouched = drawn()
    assert drawn("x = 1") == untouched == drawn(given=False)
    session.run_cell("torch.manual_seed(7)")
    seven = text_of(session.run_cell(draw))
    session.run_cell("torch.manual_seed(7)")
    assert text_of(session.run_cell("y = 2", given=True)) == ""
    assert text_of(session.run_cell(draw)) == seven
    session.run_cell("torch.seed()")
    assert float(text_of(session.run_cell(draw, given=True))) > 0


def test_a_seed_of_entropy_changes_no_given_cell(warm_parent, library):
    from autograder.isolation.session import Session
    from tests.autograder.isolation.conftest import NORMAL

    def once():
        with Session(warm_parent, library / "one", NORMAL) as session:
            session.run_cell(
                "import torch, random, numpy as np\ntorch.seed(); random.seed(); np.random.seed()"
            )
            return text_of(
                session.run_cell("print(torch.rand(1), random.random(), np.random.rand())", given=True)
            )

    assert once() == once()


def test_a_probe_runs_as_shipped_whatever_the_answer_left_behind(session):
    session.run_cell(
        f"{FLOAT64}\ntorch.Tensor.sum = lambda *a, **k: torch.tensor(9.0)\nimport math\nmath.exp = abs"
    )
    session.run_cell(
        "def attack(x):\n    y = torch.ones(2)\n    torch.set_default_dtype(torch.float64)\n"
        "    torch.randn(3)\n    return [y.element_size(), float(y.sum()), math.exp(0), float(torch.rand(1))]"
    )
    both = probe(
        session,
        "def call(answer, data):\n    return {'y': answer['attack'](data)}\n",
        "call",
        ["attack"],
        [0, 0],
    )
    first, second = (reply.arrays["y"].tolist() for reply in both.replies)
    assert first == second
    assert first[:3] == [4, 2, 1]
    assert text_of(session.run_cell("print(torch.ones(1).dtype, math.exp(-1))")) == "torch.float64 1\n"
