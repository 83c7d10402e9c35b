"""C5(d) under test: every number of hops up to k, by the same weights."""

from dataclasses import dataclass, replace
from math import factorial
from typing import Any

import numpy as np

from georecall.constructions.codes.code import sign_code
from georecall.constructions.codes.nearest import nearest_squared_distances
from georecall.constructions.parallel import parallel_hops
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.claims import symbols as sym
from georecall.theory.claims.claim import Claim
from georecall.theory.claims.parallel import ALTERED_SLOT, PARALLEL_HOPS, WRONG_DISTANCE
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.theory.facts.strings import letters, string_answers
from georecall.theory.tools.arrays import Numbers
from georecall.theory.tools.progress import Progress
from georecall.theory.tools.randomness import generator
from georecall.verify.claims.controls import companion_sizes, result
from georecall.verify.claims.hop_controls import softer
from georecall.verify.claims.hops import (
    as_entities,
    code_asked,
    few_hops,
    last,
    of_one_pass,
    shared_values,
    softness,
)
from georecall.verify.claims.instance import Experiment, Instance
from georecall.verify.margins.found import Margins
from georecall.verify.margins.hops import all_margins
from georecall.verify.margins.margins import margins
from georecall.verify.margins.queries import Chains, sample
from georecall.verify.margins.transitions import Representatives
from georecall.verify.margins.windows import composed, of_maps
from georecall.verify.verdict.verdict import ControlResult

_N, _R, _HOPS = 8, 2, 3  # of the companion: two layers
_COMPANION = random_bijections(_N, _R, rng=generator(0, "controls", "parallel"))


@dataclass(frozen=True)
class Parallel(Experiment):
    """C5(d)."""

    claim: Claim = PARALLEL_HOPS
    default_hops: int = 7
    default_table: tuple[int, int] = (16, 2)

    def instance(self, facts: FactTable, **options: Any) -> Instance:
        facts, strangers = as_entities(facts)
        hops, typed = options.get("hops", self.default_hops), bool(options.get("typed", False))
        alphabet, code = letters(facts, hops, typed=typed), code_asked(facts, **options)
        R = alphabet.shape[1]
        everyone = np.arange(code.n_words)
        distance = int(nearest_squared_distances(code.words, everyone).min()) if code.n_words > 1 else 0
        asked = softness(distance, **options)
        small = options | {"hops": hops}
        instance = Instance(
            **of_one_pass(facts, alphabet, lambda: few_hops(self, facts, alphabet, small, _HOPS)),
            values=shared_values(facts, alphabet, code, asked, strangers, typed=typed) | {sym.D: distance},
            parameters={
                "hops": hops,
                "typed": typed,
                **asked,
                "code_length": code.length,
                "group": group(facts),
            },
            build=lambda: parallel_hops(facts, hops=hops, typed=typed, code=code, **asked),
            promises=("min_margin",) if asked["margin"] else (),
        )
        return replace(
            instance,
            margins=lambda model, progress: every_length(model, facts, alphabet, progress=progress),
            samples=lambda: [
                sample(Chains(facts, alphabet[:k]), last(R, k) * facts.n_subjects) for k in range(1, hops + 1)
            ],
        )

    def controls(self, **_: Any) -> list[ControlResult]:
        """All controls of the claim, untyped and typed, on a small companion table."""
        alphabet = letters(_COMPANION, _HOPS)
        half = softer(parallel_hops, _COMPANION, alphabet, hops=_HOPS)
        return [_altered_slot(), _wrong_distance(_COMPANION, alphabet), half]

    def controls_at(self, **_: Any) -> dict[str, Any]:
        return companion_sizes(_COMPANION, hops=_HOPS)


def every_length(
    model: Transformer, facts: FactTable, alphabet: Numbers, *, progress: Progress | None = None
) -> Margins:
    """Margins of all queries of k hops, or of fewer (none, too) if those have a smaller least margin.

    Where they are too many, margins of queries that stand for them (`verify.margins.windows`).
    """
    everyone = np.arange(facts.n_subjects)
    found = all_margins(model, facts, alphabet, progress=progress)
    shorter = [margins(model, Representatives(facts, everyone[:, None], everyone))]
    if found.path == "windows":
        maps = composed(model, facts, len(alphabet))
        shorter += [of_maps(model, facts, maps, alphabet[:k]) for k in range(1, len(alphabet))]
    else:
        shorter += [all_margins(model, facts, alphabet[:k]) for k in range(1, len(alphabet))]
    least = min(shorter, key=lambda other: other.minimum[0])
    return least if least.minimum[0] < found.minimum[0] else found


def group(facts: FactTable) -> str | None:
    """The group that bijections generate, in words; None where there is none, or it is large."""
    from sympy.combinatorics import Permutation, PermutationGroup

    N = facts.n_subjects
    if not facts.bijective or N > 64:
        return None
    generated = PermutationGroup([Permutation(row.tolist()) for row in facts.answers])
    order = int(generated.order())
    if N >= 5 and 2 * order >= factorial(N):
        return f"order {order}, {'symmetric' if order == factorial(N) else 'alternating'}: not solvable"
    if N > 16:
        return f"order {order}"
    return f"order {order}, {'solvable' if generated.is_solvable else 'not solvable'}"


def _altered_slot() -> ControlResult:
    """A slot of a relation's token flipped to the word of another entity, untyped and typed."""
    said, fine = [], True
    for typed in (False, True):
        rng = generator(0, "controls", "parallel", typed)
        facts = random_bijections(_N, _R * (_HOPS if typed else 1), rng=rng)
        alphabet, words = letters(facts, _HOPS, typed=typed), sign_code(_N).words
        slot, relation = 2, 1
        moved = words[facts.answers[relation, slot]].copy()
        moved[0] *= -1
        other = int(np.flatnonzero((words == moved).all(axis=1))[0])
        model = parallel_hops(facts, hops=_HOPS, typed=typed)
        W_E = model.W_E.copy()
        W_E[_N + relation, slot * words.shape[1]] *= -1
        found = margins(replace(model, W_E=W_E), Chains(facts, alphabet))
        altered = facts.altered(slot, relation, other)
        differ = string_answers(facts, alphabet) != string_answers(altered, alphabet)
        wrong = (found.upper <= 0).reshape(differ.shape)
        said.append(f"{'typed' if typed else 'untyped'}: {wrong.sum()} wrong, {differ.sum()} go another way")
        fine &= bool(wrong.any()) and np.array_equal(wrong, differ)
    return result(ALTERED_SLOT, "; ".join(said), fine)


def _wrong_distance(facts: FactTable, alphabet: Numbers) -> ControlResult:
    """The second layer reads at the distance of the first: its maps overlap."""
    model = parallel_hops(facts, hops=_HOPS)
    near = replace(model.blocks[1], attention=model.blocks[0].attention)
    found = margins(replace(model, blocks=(model.blocks[0], near)), Chains(facts, alphabet))
    pi = facts.answers
    strings = np.indices((_R,) * _HOPS).reshape(_HOPS, -1).T
    # slot 0 after r_1 r_2 (from position 2), then r_2 r_3 (here)
    read = np.array([pi[c][pi[b][pi[b][pi[a][0]]]] for a, b, c in strings])
    right = string_answers(facts, alphabet) == read[:, None]
    passed = (found.lower > 0).reshape(right.shape)
    got = f"{passed.sum()} right, {right.sum()} predicted, of {right.size}"
    return result(WRONG_DISTANCE, got, np.array_equal(passed, right) and not right.all())


PARALLEL = Parallel()
