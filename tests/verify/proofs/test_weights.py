"""The constructions that Coq reasons about are the ones that NumPy builds: every weight, every logit.

Logits only of small models: Coq's functions compute a layer again for every number that is asked of it.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from georecall import (
    Code,
    Transformer,
    block_superposition,
    chain_of_thought,
    composed_hops,
    disjoint_superposition,
    hybrid_hops,
    in_place_superposition,
    narrow_superposition,
    packed_superposition,
    parallel_hops,
    quantized_code,
    quantized_superposition,
    random_bijections,
    sequential_hops,
    sign_code,
    sign_code_memory,
    two_sided_hops,
)
from georecall.constructions.hops import stage_lengths
from georecall.theory.facts.fact_table import FactTable
from georecall.verify.proofs.coq import coqc

pytestmark = pytest.mark.slow
SEEDS = range(3)
LARGEST = 6  # dimensions of a model whose logits are compared
PRINTING = "Set Printing Width 1000000.\nSet Printing Depth 1000000.\n"
Prompt = tuple[list[int], list[int]]


class Case:
    """A model of NumPy's, the term of Coq that should be it, and prompts to compare logits at."""

    def __init__(self, name: str, term: str, model: Transformer, prompts: Sequence[Prompt] = ()) -> None:
        self.name, self.term, self.model = name, term, model
        self.prompts = prompts[-2:] if model.d_model <= LARGEST else []

    def asked(self) -> str:
        model = self.model
        sizes = f"{model.d_vocab} {model.n_ctx} {model.d_vocab_out}"
        prompts = "; ".join(
            "[" + "; ".join(f"({t}, {p})" for t, p in zip(*prompt, strict=True)) + "]%nat"
            for prompt in self.prompts
        )
        return (
            f"Definition model_{self.name} := {self.term}.\n"
            f"Eval vm_compute in weights model_{self.name} {sizes}.\n"
            f"Eval vm_compute in map (logits model_{self.name} {model.d_vocab_out}) [{prompts}].\n"
        )


def q(value: Any) -> str:
    """A number as Coq's rational."""
    value = Fraction(value)
    return f"({value.numerator} # {value.denominator})"


def nested(rows: Any, kind: str) -> str:
    return "[" + "; ".join("[" + "; ".join(str(int(x)) for x in row) + f"]%{kind}" for row in rows) + "]"


def numerals(values: Any) -> str:
    return "[" + "; ".join(str(int(x)) for x in values) + "]"


def table(rng: np.random.Generator, N: int, R: int, A: int | None = None) -> FactTable:
    return FactTable(rng.integers(0, A or N, (R, N)), n_attributes=A or N)


def bias(model: Transformer, m: int) -> str:
    return f"(half_norms {m} v)" if np.any(np.asarray(model.b_U)) else "no_bias"


def setting(facts: FactTable, code: Code) -> str:
    return f"let pi := listed {nested(facts.answers, 'nat')} in let v := words {nested(code.words, 'Z')} in "


def single_hop_cases() -> Iterator[Case]:
    for seed in SEEDS:
        rng = np.random.default_rng([20, seed])
        N, R, A, lift = 2 + seed, 1 + seed, 3 + seed, Fraction(seed, 4)
        facts, prompts = table(rng, N, R, A), [([s, N + r], [0, 1]) for s in range(N) for r in range(R)]
        for name, code in ("signs", sign_code(A)), ("digits", quantized_code(A, bits=2)):
            lo, hi, m, gate = code.lo, code.hi, code.length, Fraction(code.spread, 2) + lift
            both = {"code": code, "gate": float(gate)}
            given = setting(facts, code) + "{} " + f"{N} {R} {m} pi v"
            model = block_superposition(facts, **both)
            term = f"{given.format('separate')} {q(lo)} {q(gate)} {bias(model, m)}"
            yield Case(f"separate_{name}_{seed}", term, model, prompts)
            term = f"{given.format('in_place')} {q(gate)} {q(2 * gate + lo)} {bias(model, m)}"
            yield Case(f"in_place_{name}_{seed}", term, in_place_superposition(facts, **both), prompts)
            high = Fraction(code.spread) + lift
            term = f"{given.format('narrow')} {q(lo)} {q(hi)} {q(high)} {bias(model, m)}"
            yield Case(
                f"narrow_{name}_{seed}",
                term,
                narrow_superposition(facts, code=code, gate=float(high)),
                prompts,
            )
        code, bits = sign_code(A), 1 + seed
        model = packed_superposition(facts, bits=bits)
        groups = -(-code.length // bits)
        packed = f"let w := binary {bits} in {'{}'}"
        norms = (
            f"(half_norms {groups} (packed_word {code.length} v w))"
            if np.any(np.asarray(model.b_U))
            else "no_bias"
        )
        term = f"packed {N} {R} {code.length} pi v {q(-1)} {q(1)} {norms} {groups} w"
        yield Case(f"packed_{seed}", setting(facts, code) + packed.format(term), model, prompts)
        code = quantized_code(A, bits=bits)
        model = quantized_superposition(facts, bits=bits)
        term = f"in_place {N} {R} {code.length} pi v {q(Fraction(code.spread, 2))} {q(code.hi)} "
        term += bias(model, code.length)
        yield Case(f"quantized_{seed}", setting(facts, code) + term, model, prompts)


def chain_of_thought_cases() -> Iterator[Case]:
    for seed in SEEDS:
        rng = np.random.default_rng([21, seed])
        N, R, K, gate = 3 + seed, 1 + seed, 1 + seed, 1 + Fraction(seed, 2)
        facts, code, place = table(rng, N, R), sign_code(3 + seed), sign_code(K)
        prompts = []
        for k in range(1, K + 1):
            relations = [int(r) for r in rng.integers(0, R, k)]
            entities = [int(e) for e in rng.integers(0, N, k)]
            for i in range(k):
                tokens = [N + r for r in relations] + entities[: i + 1]
                prompts.append((tokens, [*range(k), *range(K, K + i + 1)]))
        for readout, term in ("in-place", "in_place_steps"), ("separate", "separate_steps"):
            model = chain_of_thought(facts, max_hops=K, gate=float(gate), readout=readout)
            sizes = f"{N} {R} {code.length} {K} {place.length}"
            given = f"let p := words {nested(place.words, 'Z')} in {term} {sizes} pi v"
            last = f"{q(-1)} {q(gate)} 1 {bias(model, code.length)} p"
            yield Case(f"{term}_{seed}", f"{setting(facts, code)}{given} {last}", model, prompts)


def hops_cases() -> Iterator[Case]:
    for seed, (N, R, k, c, typed) in enumerate(
        [(3, 2, 2, 2, False), (4, 1, 3, 2, False), (3, 2, 3, 2, True), (2, 2, 2, 1, True)]
    ):
        rng = np.random.default_rng([22, seed])
        gate, code = 1 + Fraction(seed, 4), sign_code(N)
        facts, m = table(rng, N, R * k if typed else R), code.length
        rows = f"listed {nested(facts.answers, 'nat')}"
        pi = f"(fun t r => {rows} ({'t * ' + str(R) + ' + ' if typed else ''}r))%nat"
        given = f"let v := words {nested(code.words, 'Z')} in let pi := {pi} in "
        options = {"hops": k, "typed": typed, "gate": float(gate)}

        def staged(lengths: Sequence[int], model: Transformer, N=N, R=R, m=m, k=k, gate=gate) -> str:
            B, listed = R ** lengths[0], "[" + "; ".join(map(str, lengths)) + "]%nat"
            layers = f"(staged {N} {R} {m} {k} {B} pi v {q(-1)} {q(1)} {q(gate)} true 0 {listed})"
            sizes = f"{N} {R} {m} {k} {B} {m}"
            return f"hops_model {sizes} pi v {bias(model, m)} {lengths[0]} {layers} (read_readout v)"

        model = hybrid_hops(facts, stages=c, **options)
        if c > 1:
            yield Case(f"hybrid_{seed}", given + staged(stage_lengths(k, c), model), model)
        model = sequential_hops(facts, **options)
        yield Case(f"sequential_{seed}", given + staged([1] * k, model), model)
        lift = f"(2 * {q(gate)} * whole {k})"
        for readout, width, select, read in (
            ("separate", m, f"select_separate {R**k} {m} {lift} {q(-1)}", "read_readout"),
            ("in-place", 0, f"select_in_place {R**k} {m} {lift} ({lift} + {q(-1)})", "read_blocks"),
        ):
            model = composed_hops(facts, readout=readout, **options)
            heads = f"(stage_heads {R} {m} {k} {R**k} {q(gate)} true 0 {k})"
            term = f"hops_model {N} {R} {m} {k} {R**k} {width} pi v {bias(model, m)} {k} "
            term += f"[mkLayer {heads} (Some ({select}))] ({read} v)"
            yield Case(f"composed_{readout.replace('-', '_')}_{seed}", given + term, model)


def two_sided_cases() -> Iterator[Case]:
    for seed, (N, R, k, a, typed, merged) in enumerate(
        [
            (2, 1, 1, 1, False, False),
            (3, 2, 2, None, False, False),
            (3, 2, 3, 1, True, False),
            (4, 1, 2, 0, False, True),
            (3, 2, 2, None, True, True),
            (3, 3, 1, None, False, False),
            (2, 2, 1, None, False, True),
            (2, 3, 3, None, False, False),
        ]
    ):
        rng = np.random.default_rng([24, seed])
        gate, code = 1 + Fraction(seed % 3, 2), sign_code(N)
        facts = random_bijections(N, R * k if typed else R, rng=rng)
        model = two_sided_hops(facts, hops=k, split=a, typed=typed, merged=merged, gate=float(gate))
        row = f"({f't * {R} + ' if typed else ''}r)%nat"
        pi, back = (
            f"(fun t r => listed {nested(rows, 'nat')} {row})"
            for rows in (facts.answers, np.argsort(facts.answers, axis=1))
        )
        if a is None and k % 2:
            h, n = k // 2, (R + 1) // 2
            both = f"(middle_left {R} pi {h} {n}) (middle_right {R} pi back {h} {n})"
        else:
            a = k // 2 if a is None else a
            both = f"(prefixes {R} pi {a}) (suffixes {R} back {a} {k - a})"
        given = f"let u := words {nested(code.words, 'Z')} in let pi := {pi} in let back := {back} in "
        name = "merged" if merged else "shared"
        term = f"{given}{name} {N} {R} {code.length} {k} u {q(gate)} {both}"
        prompts = [([s, N], [0, 1]) for s in range(N)] if k == 1 else []
        yield Case(f"{name}_{seed}", term, model, prompts)


def parallel_cases() -> Iterator[Case]:
    for seed, (N, R, k, typed) in enumerate([(2, 1, 1, False), (3, 2, 3, False), (2, 1, 4, True)]):
        rng, code = np.random.default_rng([25, seed]), sign_code(N)
        facts = table(rng, N, R * k if typed else R)
        model = parallel_hops(facts, hops=k, typed=typed)
        term = f"let u := words {nested(code.words, 'Z')} in parallel {N} {code.length} {k} "
        term += f"(listed {nested(facts.answers, 'nat')}) u {k.bit_length()}"
        yield Case(f"parallel_{seed}", term, model, [([1, N], [0, 1]), ([1], [0])])


def memories_cases() -> Iterator[Case]:
    for seed in SEEDS:
        rng, N, R, A = np.random.default_rng([26, seed]), 2 + seed, 1 + seed, 2 + 2 * seed
        facts, names = table(rng, N, R, A), sign_code(N)
        code = quantized_code(A, bits=2) if seed else sign_code(A)
        model = sign_code_memory(facts, code=code, names=names)
        term = f"let c := words {nested(names.words, 'Z')} in name_memory {N} {R} {names.length} "
        term += f"{code.length} pi c v {bias(model, code.length)}"
        prompts = [([s, N + r], [0, 1]) for s in range(N) for r in range(R)]
        yield Case(f"names_{seed}", setting(facts, code) + term, model, prompts)


def merged_hops_cases() -> Iterator[Case]:
    for seed, (N, R, k, typed) in enumerate([(2, 1, 1, False), (3, 2, 2, False), (4, 1, 3, True)]):
        rng, gate, code = np.random.default_rng([27, seed]), 1 + Fraction(seed, 4), sign_code(N)
        facts, m = table(rng, N, R * k if typed else R), code.length
        model = sequential_hops(facts, hops=k, typed=typed, merged=True, gate=float(gate))
        row = f"({f't * {R} + ' if typed else ''}r)%nat"
        term = f"let v := words {nested(code.words, 'Z')} in merged {N} {R} {m} {k} "
        term += f"(fun t r => listed {nested(facts.answers, 'nat')} {row}) v {q(gate)} {bias(model, m)}"
        yield Case(f"merged_{seed}", term, model, [([s, N], [0, 1]) for s in range(N)])


def disjoint_cases() -> Iterator[Case]:
    for seed in SEEDS:
        rng, N, R, A = np.random.default_rng([23, seed]), 2 + seed, 1 + seed, 2 + seed
        drawn = np.array([rng.permutation(A)[:N] for _ in range(R)]) + A * np.arange(R)[:, None]
        facts, gate, words = FactTable(drawn, n_attributes=A * R), 1 + Fraction(seed, 2), sign_code(A).words
        model = disjoint_superposition(facts, gate=float(gate))
        given = setting(facts, Code(np.tile(words, (R, 1)))) + f"without_mlp {N} {R} {words.shape[1]}"
        term = f"{given} (fun a => a / {A})%nat pi v {q(gate)} {q(-words.shape[1])}"
        yield Case(
            f"disjoint_{seed}", term, model, [([s, N + r], [0, 1]) for s in range(N) for r in range(R)]
        )
    for sizes in [2], [2, 3], [5, 1, 4]:
        N, R, starts = max(sizes), len(sizes), np.cumsum([0, *sizes[:-1]])
        facts = FactTable([start + np.arange(N) % size for start, size in zip(starts, sizes, strict=True)])
        each, gate = [sign_code(size).words for size in sizes], Fraction(3, 4)
        lengths, rows = [len(words[0]) for words in each], [row for words in each for row in words]
        of = f"(fun a => nth a {numerals(np.repeat(np.arange(R), sizes))} 0)%nat"
        given = f"let pi := listed {nested(facts.answers, 'nat')} in let u := words {nested(rows, 'Z')} in "
        term = f"{given}unequal {N} {R} (fun r => nth r {numerals(lengths)} 0)%nat {of} pi u {q(gate)}"
        prompts = [([s, N + r], [0, 1]) for s in range(N) for r in range(R)]
        model = disjoint_superposition(facts, gate=float(gate))
        yield Case(f"unequal_{R}", term, model, prompts)


def numbers(said: str) -> list[list[Fraction]]:
    """The lists of pairs in an answer of Coq's."""
    lists = ast.literal_eval(said.split("\n     :")[0].replace("%Z", "").replace(";", ","))
    return [[Fraction(a, b) for a, b in pairs] for pairs in lists]


def flat(weight: Any) -> list[Fraction]:
    dense = weight.toarray() if hasattr(weight, "toarray") else np.asarray(weight[np.arange(weight.shape[0])])
    return [Fraction(float(x)) for x in dense.ravel()]


def own(model: Transformer) -> list[tuple[str, list[Fraction]]]:
    """NumPy's weights in the order of Coq's lists."""
    named = [("W_E", flat(model.W_E)), ("W_pos", flat(model.W_pos))]
    for number, block in enumerate(model.blocks):
        if block.attention is not None:
            for head in zip(*vars(block.attention).values(), strict=True):
                named += [
                    (f"{number}.{name}", flat(W)) for name, W in zip(vars(block.attention), head, strict=True)
                ]
        if block.mlp is not None:
            named += [(f"{number}.{name}", flat(W)) for name, W in vars(block.mlp).items()]
    return [*named, ("W_U", flat(model.W_U)), ("b_U", flat(model.b_U))]


def differences(case: Case, weights: list[list[Fraction]], logits: list[list[Fraction]]) -> list[str]:
    """What of a model differs between NumPy and Coq."""
    ours = own(case.model)
    assert len(ours) == len(weights), case.name
    found = []
    for (name, weight), theirs in zip(ours, weights, strict=True):
        unscored = not theirs and name.endswith(("W_Q", "W_K"))  # Coq's uniform head has no scores at all
        if weight != theirs and not (unscored and not any(weight)):
            found.append(f"{case.name}: {name}")
    for (tokens, positions), theirs in zip(case.prompts, logits, strict=True):
        if flat(case.model.logits(np.array([tokens]), np.array([positions]))) != theirs:
            found.append(f"{case.name}: logits of {tokens}")
    return found


@pytest.mark.parametrize(
    ("family", "cases"),
    [
        ("single_hop", single_hop_cases),
        ("chain_of_thought", chain_of_thought_cases),
        ("hops", hops_cases),
        ("disjoint", disjoint_cases),
        ("two_sided", two_sided_cases),
        ("parallel", parallel_cases),
        ("memories", memories_cases),
        ("merged_hops", merged_hops_cases),
    ],
)
def test_every_weight_and_logit_of_a_construction_is_that_of_its_theorem(
    proofs: Path, family: str, cases: Any
) -> None:
    listed = list(cases())
    source = f"From Georecall Require Import transformer single_hop hops {family} weights.\n" + PRINTING
    (proofs / f"compared_{family}.v").write_text(source + "".join(case.asked() for case in listed))
    said = re.split(r"(?m)^     = ", coqc(proofs, f"compared_{family}.v"))[1:]
    found = []
    for case, weights, logits in zip(listed, said[::2], said[1::2], strict=True):
        found += differences(case, numbers(weights), numbers(logits))
    assert found == []


def test_a_weight_or_a_logit_that_differs_is_named() -> None:
    facts = FactTable([[1, 0]])
    model = in_place_superposition(facts)
    case = Case("case", "", model, [([0, 2], [0, 1])])
    weights = [weight for _, weight in own(model)]
    logits = [flat(model.logits(np.array([[0, 2]])))]
    assert differences(case, weights, logits) == []
    weights[-2] = [w + 1 for w in weights[-2]]
    assert differences(case, weights, [[0, 0]]) == ["case: W_U", "case: logits of [0, 2]"]
