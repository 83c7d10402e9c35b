"""What a folder offers, all at once and one by one."""

import subprocess
import sys

import pytest

from georecall.constructions import CONSTRUCTIONS
from georecall.theory.claims import CLAIMS, family
from georecall.theory.tools.modules import Offers, modules
from georecall.verify.claims.options import EXPERIMENTS

HERE = "georecall.theory.tools"


def offers(home=lambda name: None):
    """The names of this folder's modules and theirs, as an offer."""
    return Offers(HERE, lambda module: [(module.__name__.split(".")[-1], module)], home=home)


@pytest.mark.parametrize("home", [lambda name: None, lambda name: name, lambda name: "files"])
def test_wherever_a_name_is_looked_for_first_it_is_found(home):
    lazy, whole = offers(home), {module.__name__.split(".")[-1]: module for module in modules(HERE)}
    assert lazy["names"] is whole["names"]
    assert list(lazy) == list(whole)
    assert ("nothing" in lazy, len(lazy)) == (False, len(whole))


def test_what_is_put_there_stays_and_what_is_taken_away_goes():
    found = offers(lambda name: name)
    found["names"] = found["files"]
    found["extra"] = 1
    assert (found["names"], list(found)[-1]) == (found["files"], "extra")
    del found["names"], found["extra"]
    assert not {"names", "extra"} & set(found)


@pytest.mark.parametrize("offered", [CLAIMS, CONSTRUCTIONS, EXPERIMENTS], ids=["claims", "weights", "tests"])
def test_a_claim_alone_is_the_one_of_the_list(offered):
    for name, each in list(offered.items()):
        alone = Offers(offered._package, offered._offered, home=family)
        assert alone[name] is each


def test_every_claim_is_in_its_family():
    for name, claim in CLAIMS.items():
        assert claim in vars(sys.modules[f"georecall.theory.claims.{family(name)}"]).values()
    assert family("nothing") is None


def test_a_list_of_claims_does_without_sympy():
    listed = "from georecall.theory.claims import CLAIMS; assert len(CLAIMS) > 20"
    code = f"import sys; {listed}; print('sympy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_a_check_imports_its_claim_and_neither_sympy_nor_other_claims():
    loaded = (
        "import sys, georecall as gr; gr.check('single-hop', subjects=9, relations=2); "
        "print(*(name for name in sys.modules if name.startswith(('georecall', 'sympy', 'mpmath', 'flint'))))"
    )
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    names = set(done.stdout.split())
    assert {
        f"georecall.{floor}.single_hop" for floor in ("theory.claims", "constructions", "verify.claims")
    } <= names
    assert not {"sympy", "mpmath", "flint", "georecall.bounds"} & names
    rooms = [name.rsplit(".", 1)[1] for name in names if name.startswith("georecall.verify.claims.")]
    assert not {"hops", "memories", "dense", "gradient_descent", "floors"} & set(rooms)


def test_the_command_loads_nothing_of_random_draws_or_of_workers_where_nobody_asks_for_them():
    code = (
        "import sys; from georecall.verify.cli import run; "
        "status = run(['check', 'single-hop', '--subjects', '9']); "
        "print(status, *sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    status, *names = done.stderr.split()
    assert status == "0"
    of_draws = {"verify.claims.readouts", "constructions.best_memory", "constructions.training.recipe"}
    assert not {f"georecall.{name}" for name in of_draws} & set(names)
    assert not {"asyncio", "multiprocessing.connection", "georecall.theory.tools.processes"} & set(names)
