"""The commands that users wait for, and what each must at least do, counted by hand."""

from dataclasses import dataclass

from georecall.verify.bench.machine import Machine


@dataclass(frozen=True)
class Work:
    """What a command cannot do without, however it goes about it.

    Args:
        because: where the numbers come from.
        operations: on small integers.
        flops: of products of matrices in single precision.
        imports: modules, whose own start-up time is measured.
    """

    because: str
    operations: float = 0.0
    flops: float = 0.0
    imports: tuple[str, ...] = ("numpy", "scipy.sparse", "click", "rich")

    def seconds(self, machine: Machine, flops_per_second: float, start: float) -> float:
        """Processor seconds after a start; integers at the rate of all cores, products at that of one."""
        integers = machine.cores * self.operations / machine.operations_per_second
        return start + integers + self.flops / flops_per_second


@dataclass(frozen=True)
class Wait:
    """One command.

    Args:
        name: what users call it.
        command: what follows `georecall`; "-c": Python instead.
        least: what it must at least do.
        code: the Python.
    """

    name: str
    command: str
    least: Work
    code: str = ""


BATTERY = """
import os
if os.path.isdir(os.path.join(os.environ["TREE"], "georecall")):
    from georecall import block_superposition, sign_code
else:  # before the door
    from constructions import block_superposition, sign_code

def build(facts):
    length = max(1000 // (facts.n_relations + 1), (facts.n_attributes - 1).bit_length())
    return block_superposition(facts, code=sign_code(facts.n_attributes, length=length))
"""

_PROPERTY = """
import os
if os.path.isdir(os.path.join(os.environ["TREE"], "georecall")):
    from georecall import check
else:
    from verify import check
for seed in range(40):
    check("single-hop", subjects=16, relations=3, seed=seed).status == "holds" or exit(1)
"""

WAITS = (
    Wait("main command", "check single-hop --facts countries", Work("start alone")),
    Wait("40 small checks, as in a property test", "-c", Work("start alone"), _PROPERTY),
    Wait(
        "battery at d = 1,000",
        "check --construction wide:build",
        Work("10^4 queries through 1000 neurons and back", flops=4e10),
    ),
    Wait(
        "counting-bound 2^16 x 8",
        "check counting-bound --subjects 2^16 --relations 8",
        Work("5 models, 16 coordinates, 12 operations a fact and coordinate", operations=5 * 12 * 2**23),
    ),
    Wait(
        "margin-bound 2^16 x 2",
        "check margin-bound --subjects 2^16 --relations 2",
        Work("codes of 200 coordinates in all, 12 operations a fact and each", operations=2400 * 2**17),
    ),
    Wait(
        "sequential-hops 4000 x 3, 8 hops",
        "check sequential-hops --subjects 4000 --relations 3 --hops 8",
        Work("7 memories: 12,000 ways, 4000 neurons of 13 terms", flops=7 * 2 * 13 * 4.8e7),
    ),
    Wait(
        "the same, merged",
        "check sequential-hops --subjects 4000 --relations 3 --hops 8 --merged",
        Work("as above", flops=7 * 2 * 13 * 4.8e7),
    ),
    Wait(
        "sign-code-memory 4000 x 8",
        "check sign-code-memory --subjects 4000 --relations 8",
        Work("4000 subjects, 32,000 neurons of 13 terms", flops=2 * 13 * 4e3 * 32e3),
    ),
    Wait(
        "soft chains of 64 hops",
        "check chain-of-thought --attention soft --hops 64",
        Work("4000 boxes of 10 coordinates beside 1000 words", flops=2 * 4e6 * 10 * 3),
    ),
    Wait(
        "single-hop-dense, 5000 subjects",
        "check single-hop-dense --subjects 5000",
        Work("73 draws, the fewest that decide: 5000 subjects by words of 255", flops=73 * 2 * 25e6 * 85),
    ),
    Wait(
        "sweep learned, three runs of the paper's map",
        "sweep learned --subjects 256 --relations 2 --dimension 16 --out l.sqlite",
        Work(
            "3 runs of 1500 steps, forward and twice back: 256 prompts, 32 x 128 x 32 weights, 256 words",
            flops=3 * 1500 * 3 * 2 * 256 * (2 * 32 * 128 + 32 * 256),
            imports=("numpy", "jax", "optax", "scipy.stats"),
        ),
    ),
    Wait(
        "report",
        "report --out report",
        Work("what it draws with", imports=("numpy", "scipy.stats", "sympy", "matplotlib.pyplot")),
    ),
)
