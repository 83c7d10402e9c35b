"""C10: facts on both sides: the first hops in the subjects' embeddings, the last ones in the unembedding.

For bijections a fact y = pi(x) can be kept in W_E as u(pi(x)), or in W_U as u(pi^-1(y)). A block of an
embedding holds what one string of first letters reaches; an output block of W_U holds from where one string
of last letters leads to each entity. The letters lift the block asked for, and a gate coordinate for each
output block; layer 1 reads u(z), the entity in the middle, and layer 2 writes it to the output block whose
gate is open. Nothing in attention or MLP depends on the facts (but for memories between stages, as in
C5(c)).

With an odd number of hops the middle letter decides: some of its relations are kept on the left, the others
on the right.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.codes.code import Code
from georecall.constructions.hops import stage_lengths
from georecall.constructions.transformer.hop_parts import (
    Head,
    attending,
    beside,
    copying,
    dyadic,
    erasing,
    memory,
    promised,
    saturated,
    sign_words,
    silenced,
)
from georecall.constructions.transformer.layers import MLP, AttentionKind, Block
from georecall.constructions.transformer.parts import placed, superpose
from georecall.constructions.transformer.residual import Residual
from georecall.constructions.transformer.transformer import Storage, Transformer
from georecall.theory.claims.softmax import DEFAULT_SOFT_GATE, bearable, position_scale
from georecall.theory.facts.fact_table import FactsError, FactTable
from georecall.theory.facts.strings import letters, reachable, string_answers
from georecall.theory.tools.arrays import Numbers


@dataclass(frozen=True, eq=False)
class Side:
    """Blocks, what they hold, and the letters that they wait for.

    Args:
        entities: whose word each block holds, for every subject (output): shape (blocks, N).
        waits: whether a block waits for a letter of a hop: shape (blocks, hops, R); for none of a hop that
            does not concern it.
        of_facts: which blocks depend on the facts: shape (blocks,).
    """

    entities: Numbers
    waits: NDArray[np.bool_]
    of_facts: NDArray[np.bool_]

    @property
    def conditions(self) -> int:
        """How many letters must match, the same number for every block."""
        return int(self.waits[0].any(axis=1).sum())


def two_sided_hops(
    facts: FactTable,
    *,
    hops: int = 2,
    split: int | None = None,
    stages: int = 1,
    typed: bool = False,
    merged: bool = False,
    code: Code | None = None,
    gate: float | None = None,
    attention: AttentionKind = "hard",
    margin: float | None = None,
) -> Transformer:
    """C10: depth 2, d_model = M m + R + k + 1 + B, B output blocks, M the more of both sides.

    Args:
        facts: a table of functions from entities to entities, bijections where W_U inverts them
            (and the first on the left where the middle letter decides).
        hops: k.
        split: a, hops answered by the embeddings, from 0 to k; default: k/2, or for odd k the middle letter
            decides (with more stages: all but the last of c + 1 parts).
        stages: c, with a memory between two: depth 2 c, d_model = (max(R^ceil(a/c), B) + 1) m + R + k + 1 +
            B.
        typed: whether each hop has its own relations (see `theory.facts.strings`).
        merged: the last two layers in one: depth 2 c - 1, and (A + B) m in place of M m where c = 1.
        code: sign code of the entities; default: m = ceil(log2 N).
        gate: half the lift per matching relation, at least 1 (the default; softmax: 5/4); see `dyadic`.
        attention: "hard", or "soft" with the scores' factor derived from `margin`; stages before a memory
            then take 3 neurons where hard attention takes 2.
        margin: mu, what softmax keeps of every query's margin; default: half.

    Raises:
        FactsError: attributes are not subjects, typed relations do not divide among the hops, or a relation
            that W_U inverts is no bijection.
        ValueError: split or stages out of range, no sign code, one with fewer words than there are
            entities, or softmax with a margin or gate that it cannot have.

    Source: theory/pages/c10.md, C10.
    """
    code = sign_words(code, facts)
    soft, beta = attention == "soft", 1.0
    gate = dyadic(gate if gate is not None else DEFAULT_SOFT_GATE if soft else 1.0)
    alphabet = letters(facts, hops, typed=typed)
    lengths, balanced = parts(hops, split, stages)
    left, right = sides(facts, alphabet, lengths, balanced=balanced)
    if soft:
        asked = promised(margin, code, middle_entities(facts, alphabet, lengths, left))
        conditions = [side.conditions for side in left]
        beta = position_scale(bearable(*asked, gate, conditions, right.conditions), hops)
    model = _put_together(facts, alphabet, lengths, left, right, merged, code, gate, beta, soft)
    return replace(model, attention=attention)


def middle_entities(facts: FactTable, alphabet: Numbers, lengths: list[int], left: list[Side]) -> Numbers:
    """The entities in the middle, which W_U tells from each other, in increasing order."""
    if len(left) == 1:
        return np.unique(left[0].entities)
    return reachable(facts, alphabet[: sum(lengths)])


def single_hop_split(
    facts: FactTable,
    *,
    merged: bool = False,
    code: Code | None = None,
    gate: float | None = None,
    attention: AttentionKind = "hard",
    margin: float | None = None,
) -> Transformer:
    """C10 at k = 1: half of the relations in W_E, half in W_U; d_model = ceil((R+1)/2) m + R + 2 + B.

    Arguments and errors as of `two_sided_hops`; B = 1 + floor(R/2).
    """
    return two_sided_hops(
        facts, hops=1, merged=merged, code=code, gate=gate, attention=attention, margin=margin
    )


def parts(hops: int, split: int | None, stages: int) -> tuple[list[int], bool]:
    """The lengths of the stages on the left, and whether the middle letter decides.

    Raises:
        ValueError: split or stages out of range.

    Example:
        >>> parts(4, None, 1), parts(5, None, 1), parts(5, 2, 1), parts(7, None, 2)
        (([2], False), ([2], True), ([2], False), ([3, 2], False))
    """
    if stages < 1 or stages > max(1, hops - 1):
        raise ValueError(f"stages must be from 1 to {max(1, hops - 1)}, one less than hops, got {stages}")
    if split is None and stages == 1 and hops % 2:
        return [hops // 2], True
    if split is None:
        return stage_lengths(hops, stages + 1)[:-1], False
    if not 0 <= split <= hops or (stages > 1 and split < stages):
        least = 0 if stages == 1 else stages
        raise ValueError(f"split must be from {least} to the number of hops, {hops}, got {split}")
    return stage_lengths(split, stages), False


def sides(
    facts: FactTable, alphabet: Numbers, lengths: list[int], *, balanced: bool
) -> tuple[list[Side], Side]:
    """The blocks of every stage on the left, and the output blocks of W_U.

    Raises:
        FactsError: a relation that W_U inverts is no bijection.
    """
    hops = len(alphabet)
    if balanced:
        only, right = _middle_letter_decides(facts, alphabet)
        return [only], right
    ends = np.cumsum(lengths)
    left = [_strings(facts, alphabet, end - n, end) for n, end in zip(lengths, ends, strict=True)]
    return left, _strings(facts, alphabet, int(ends[-1]), hops, inverted=True)


def inverted(alphabet: Numbers, lengths: list[int], *, balanced: bool) -> Numbers:
    """The relations (rows of the table) that W_U inverts, and r*, whose words it holds then."""
    after, R = sum(lengths), alphabet.shape[1]
    rows = [alphabet[after + balanced :].ravel()]
    if balanced and R > 1:
        rows += [alphabet[after, :1], alphabet[after, (R + 1) // 2 :]]
    return np.unique(np.concatenate(rows))


def _strings(facts: FactTable, alphabet: Numbers, start: int, stop: int, *, inverted: bool = False) -> Side:
    """A block for every string of the letters of some hops."""
    hops, R = alphabet.shape
    length = stop - start
    reached = string_answers(facts, alphabet[start:stop])
    waits = np.zeros((R**length, hops, R), dtype=bool)
    strings = np.arange(R**length)
    for hop in range(length):
        waits[strings, start + hop, strings // R ** (length - 1 - hop) % R] = True
    entities = _inverse(facts, reached, alphabet[start:stop]) if inverted else reached
    return Side(entities, waits, np.full(len(waits), length > 0))


def _middle_letter_decides(facts: FactTable, alphabet: Numbers) -> tuple[Side, Side]:
    """Relations of hop q + 1, k = 2 q + 1: the first ceil(R/2) on the left, the others on the right.

    Left: u(pi_r pi_w(s)) for r on the left, those of r* = 0 asked for by any letter on the right too. Right:
    u(pi_v^-1(y)), asked for by any letter on the left, and u(pi_r* (pi_v pi_r)^-1(y)) for r on the right.
    With R > 1 that letter r* must be a bijection too: outputs that it joins would have one word.
    """
    hops, R = alphabet.shape
    q, n_left = hops // 2, (R + 1) // 2
    middle = np.arange(R)
    if R > 1:
        _all_inverse(facts, alphabet[q, :1])
    first = _strings(facts, alphabet[:, :], 0, q)
    reached = facts.answers[alphabet[q, :n_left]][:, first.entities]  # (left letters, R^q, N)
    waits = np.repeat(first.waits[None], n_left, axis=0)
    for letter in range(n_left):
        waits[letter, :, q] = middle == letter if letter else (middle == 0) | (middle >= n_left)
    left = Side(
        reached.reshape(-1, facts.n_subjects),
        waits.reshape(-1, hops, R),
        np.ones(waits[..., 0, 0].size, bool),
    )
    last = _strings(facts, alphabet, q + 1, hops, inverted=True)
    last.waits[:, q] = middle < n_left
    blocks = [last]
    for letter in range(n_left, R):
        row = alphabet[q, letter]
        back = _inverse(facts, facts.answers[row][None], alphabet[q : q + 1, letter : letter + 1])[0]
        waits = last.waits.copy()
        waits[:, q] = middle == letter
        through = facts.answers[alphabet[q, 0]][back[last.entities]]
        blocks.append(Side(through, waits, np.ones(len(waits), bool)))
    right = Side(
        np.concatenate([side.entities for side in blocks]),
        np.concatenate([side.waits for side in blocks]),
        np.concatenate([side.of_facts for side in blocks]),
    )
    return left, right


def _inverse(facts: FactTable, reached: Numbers, alphabet: Numbers) -> Numbers:
    """For every string and entity where it came from."""
    _all_inverse(facts, alphabet)
    back = np.empty_like(reached)
    np.put_along_axis(back, reached, np.broadcast_to(np.arange(reached.shape[1]), reached.shape), axis=1)
    return back


def _all_inverse(facts: FactTable, alphabet: Numbers) -> None:
    """Refuses relations that are no bijections."""
    for row in np.unique(alphabet):
        if len(np.unique(facts.answers[row])) < facts.n_subjects:
            raise FactsError(
                f"{facts.relation_name(int(row))!r} is no bijection: W_U cannot hold its inverse"
            )


def _put_together(
    facts: FactTable,
    alphabet: Numbers,
    lengths: list[int],
    left: list[Side],
    right: Side,
    merged: bool,
    code: Code,
    gate: float,
    beta: float,
    soft: bool,
) -> Transformer:
    """The transformer of some sides, stage by stage."""
    (hops, R), N, m = alphabet.shape, facts.n_subjects, code.length
    A, B, last = [len(side.entities) for side in left], len(right.entities), len(left) - 1
    apart = merged and not last  # output blocks of their own: in one layer there is no time to make room
    space = Residual(
        block=(max(A) if apart else max(*A, B), m),
        **({"output": (B, m)} if apart else {}),
        **({"readout": (m,)} if last else {}),
        relation=(R,),
        gate=(B,),
        position=(hops + 1,),
    )
    block, output = space["block"], space["output" if apart else "block"][:B]
    middle = space["readout"] if last else block[0]  # where u(z) is written

    W_E = space.zeros(N + facts.n_relations)
    superpose(W_E, block[: A[0]], left[0].entities, code)
    tokens = np.arange(facts.n_relations)
    W_E[N + tokens, space["relation"][tokens % R]] = 1
    W_pos = space.zeros(hops + 1)
    W_pos[:, space["position"]] = np.eye(hops + 1)
    W_U = space.zeros(N).T
    for coordinates, entities in zip(output, right.entities, strict=True):
        W_U[coordinates] = code.words[entities].T

    blocks: list[Block] = []
    ends = [int(end) for end in np.cumsum(lengths)]
    for number, side in enumerate(left):
        stop = hops if number == last else ends[number]
        heads = [] if number else [copying(space, 0, block[: A[0]].ravel(), block[: A[0]].ravel(), 1.0)]
        start = ends[number - 1] if number else 0
        heads += [_lifting(space, hop, side, right, gate) for hop in range(start, stop)]
        erase = erasing(space, block[: A[number]].ravel(), code.lo)
        if merged and number == last:
            write = _merged(space, block, output, side, right, gate)
            mlp = write if apart else beside(write, erase)
        else:
            select = _select(space, block, middle, side, gate)
            mlp = beside(saturated(select, 2.0) if soft and number < last else select, erase)
        blocks.append(Block(attending(space, heads, beta), silenced(space, mlp, 2.0) if last else mlp))
        if number < last:
            blocks.append(Block(mlp=memory(space, code, left[number + 1].entities)))
    if not merged:
        write = _output(space, middle, output, right, gate)
        blocks.append(Block(mlp=write if last else beside(write, erasing(space, middle, code.lo))))

    memories = {side.waits[:, start:end].tobytes() + alphabet[start:end].tobytes(): side.entities.size * m
                for side, start, end in zip(left[1:], ends, ends[1:], strict=False)}  # fmt: skip
    held = left[0].of_facts[0]
    return Transformer(
        W_E=W_E,
        W_pos=W_pos,
        blocks=tuple(blocks),
        W_U=W_U,
        b_U=np.zeros(N),
        attention="hard",
        storage=Storage(
            block[: A[0]].ravel() if held else np.arange(0),
            code.n_levels,
            other_bits=sum(memories.values()) + int(right.of_facts.sum()) * N * m,
            frozen=not held,
            layout=space,
        ),
    )


def _lifting(space: Residual, hop: int, left: Side, right: Side, gate: float) -> Head:
    """The head of one hop: its letter lifts, by 2 gate, every block and gate that waits for it."""
    relation, m = space["relation"], space["block"].shape[1]
    blocks, letters_left = np.nonzero(left.waits[:, hop])
    gates, letters_right = np.nonzero(right.waits[:, hop])
    rows = np.concatenate([np.repeat(letters_left, m), letters_right])
    columns = np.concatenate([space["block"][blocks].ravel(), space["gate"][gates]])
    W_V = placed((space.d_model, len(relation)), relation, np.arange(len(relation)), 1.0)
    return hop + 1, W_V, placed((len(relation), space.d_model), rows, columns, 2 * gate)


def _select(space: Residual, block: NDArray[np.intp], into: NDArray[np.intp], side: Side, gate: float) -> MLP:
    """Neurons ReLU(x - (2 gate a - 1)): the word of the one block that all letters lift, plus 1."""
    used = block[: len(side.entities)]
    neuron = np.arange(used.size).reshape(used.shape)
    return MLP(
        W_in=placed((space.d_model, used.size), used, neuron, 1.0),
        b_in=np.full(used.size, 1 - 2 * gate * side.conditions),
        W_out=placed((used.size, space.d_model), neuron, into, 1.0),
        b_out=np.bincount(into, minlength=space.d_model) * -1.0,
    )


def _output(
    space: Residual, middle: NDArray[np.intp], output: NDArray[np.intp], side: Side, gate: float
) -> MLP:
    """ReLU(u_i(z) + g_v - level) less ReLU(g_v - level), level 2 gate b - 1: u(z) if v is asked, else 0."""
    B, m = output.shape
    neuron = np.arange(B * m).reshape(B, m)
    word = MLP(
        W_in=placed((space.d_model, B * m), middle, neuron, 1.0)
        + placed((space.d_model, B * m), space["gate"][:, None], neuron, 1.0),
        b_in=np.full(B * m, 1 - 2 * gate * side.conditions),
        W_out=placed((B * m, space.d_model), neuron, output, 1.0),
        b_out=np.zeros(space.d_model),
    )
    return beside(word, _level(space, output, side, gate))


def _merged(
    space: Residual,
    block: NDArray[np.intp],
    output: NDArray[np.intp],
    left: Side,
    right: Side,
    gate: float,
) -> MLP:
    """ReLU(x_w + g_v - (2 gate (a + b) - 1)) into output block v, less what the gate alone lets through."""
    (B, m), A = output.shape, len(left.entities)
    neuron = np.arange(A * B * m).reshape(A, B, m)
    shape = (space.d_model, A * B * m)
    word = MLP(
        W_in=placed(shape, block[:A, None], neuron, 1.0) + placed(shape, space["gate"][:, None], neuron, 1.0),
        b_in=np.full(A * B * m, 1 - 2 * gate * (left.conditions + right.conditions)),
        W_out=placed(shape[::-1], neuron, output, 1.0),
        b_out=np.zeros(space.d_model),
    )
    return beside(word, _level(space, output, right, gate))


def _level(space: Residual, output: NDArray[np.intp], side: Side, gate: float) -> MLP:
    """ReLU(g_v - (2 gate b - 1)), which is 1 where v is asked for and else 0, taken off output block v."""
    B = len(output)
    neuron = np.arange(B)
    return MLP(
        W_in=placed((space.d_model, B), space["gate"], neuron, 1.0),
        b_in=np.full(B, 1 - 2 * gate * side.conditions),
        W_out=placed((B, space.d_model), neuron[:, None], output, -1.0),
        b_out=np.zeros(space.d_model),
    )


BUILDS = {"two-sided-hops": two_sided_hops, "single-hop-split": single_hop_split}
