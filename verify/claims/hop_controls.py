"""The negative controls of C5, each on a small companion whose every margin the theory predicts."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.codes.code import sign_code
from georecall.constructions.transformer.arithmetic import dense
from georecall.constructions.transformer.layers import MLP
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.claims import hops as claims
from georecall.theory.claims.claim import Claim
from georecall.theory.claims.single_hop import WEAK_GATE
from georecall.theory.claims.softmax import SOFTER
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.theory.facts.strings import letters, spelled, string_answers
from georecall.theory.tools.arrays import Floats
from georecall.theory.tools.randomness import generator
from georecall.verify.claims.controls import as_predicted, nearest_word_margins, neighbour, questions, result
from georecall.verify.margins.found import Margins
from georecall.verify.margins.margins import margins
from georecall.verify.margins.queries import Chains
from georecall.verify.verdict.verdict import ControlResult

COMPANION = random_bijections(10, 3, rng=generator(0, "controls", "hops"))
CODE = sign_code(10)
WEAK = 0.75


def hop_controls(
    claim: Claim,
    construct: Callable[..., Transformer],
    lengths: Sequence[int],
    facts: FactTable | None = None,
    **asked: Any,
) -> list[ControlResult]:
    """The controls of a claim of C5, on a companion with stages of the given lengths."""
    if facts is None and asked.get("typed"):
        hops = sum(lengths)
        facts = random_bijections(10, 3 * hops, rng=generator(0, "controls", "typed hops", hops))
    if "stages" in claim.parameters:
        asked["stages"] = len(lengths)
    companion = _Companion(facts or COMPANION, tuple(lengths), construct, asked)
    found = {
        WEAK_GATE.name: companion.weak_gate,
        claims.DROPPED_BLOCK.name: companion.dropped_block,
        claims.CORRUPTED_BLOCK.name: companion.moved_coordinate,
        claims.SILENT_MEMORY.name: companion.silent_memory,
        claims.LOW_THRESHOLD.name: companion.low_threshold,
        claims.STATE_KEPT.name: companion.state_kept,
        claims.CORRUPTED_MEMORY.name: companion.corrupted_memory,
        SOFTER.name: companion.softer,
    }
    return [found[control.name]() for control in claim.controls]


class _Companion:
    """A model of one stage (C5(a)) or two (C5(b), C5(c)), and what the theory says of broken ones."""

    def __init__(
        self,
        facts: FactTable,
        lengths: tuple[int, ...],
        construct: Callable[..., Transformer],
        asked: dict[str, Any],
    ) -> None:
        self.facts, self.lengths, self.construct, self.asked = facts, lengths, construct, asked
        self.merged = bool(asked.get("merged"))
        self.threshold = CODE.length if self.merged else CODE.length - 1
        self.alphabet = letters(facts, sum(lengths), typed=bool(asked.get("typed")))
        self.R = self.alphabet.shape[1]
        ends = np.cumsum(lengths)
        self.strings = [
            string_answers(facts, self.alphabet[end - n : end]) for end, n in zip(ends, lengths, strict=True)
        ]
        self.answers = string_answers(facts, self.alphabet).reshape(*[len(a) for a in self.strings], -1)

    def model(self, gate: float = 1.0) -> Transformer:
        """The claim's weights at a gate."""
        return self.construct(self.facts, hops=sum(self.lengths), code=CODE, gate=gate, **self.asked)

    def margins(self, model: Transformer) -> Margins:
        """Of all queries, shape (R, ..., R, N)."""
        return margins(model, Chains(self.facts, self.alphabet))

    def predicted(self, gate: float = 1.0, threshold: float | None = None, erased: bool = True) -> Floats:
        """The margins that the theory predicts, in the same shape."""
        words = [CODE.words[answers].astype(float) for answers in self.strings]
        threshold = self.threshold if threshold is None else threshold
        if self.merged:
            read = _read_merged(words[0], words[1], gate, threshold, erased)
        elif len(words) == 1:
            read = claims.readout_composed(words[0], gate, R=self.R, hops=self.lengths[0], lo=-1)
        else:
            read = claims.readout_two_stages(
                *(words[0], words[1], CODE.words.astype(float), gate),
                R=self.R,
                lengths=(self.lengths[0], self.lengths[1]),
                threshold=threshold,
                erased=erased,
            )
        found = nearest_word_margins(read, CODE, self.answers)
        return found.reshape(*[self.R] * len(self.alphabet), self.facts.n_subjects)

    def weak_gate(self) -> ControlResult:
        """The leak of a gate below 1."""
        found = self.margins(self.model(WEAK))
        return as_predicted(WEAK_GATE, found, self.predicted(gate=WEAK), fails=True)

    def dropped_block(self) -> ControlResult:
        """One string of the first stage without a block: all logits of its queries tie."""
        model, dropped, m = self.model(), 1, CODE.length
        W_E = model.W_E.copy()
        W_E[: self.facts.n_subjects, _state(model)[dropped * m : (dropped + 1) * m]] = 0
        found = self.margins(replace(model, W_E=W_E))
        through = np.zeros(self.answers.shape, dtype=bool)
        through[dropped] = True
        wrong = found.upper <= 0
        tied = (found.upper[wrong] == 0).sum()
        got = f"{wrong.sum()} wrong, {through.sum()} predicted, {tied} with margin 0"
        right = np.array_equal(wrong, through.reshape(wrong.shape))
        return result(claims.DROPPED_BLOCK, got, right and not found.upper[wrong].any())

    def moved_coordinate(self) -> ControlResult:
        """One coordinate of one subject's block, moved so that it holds another word."""
        model, string = self.model(), 5
        subject, coordinate, other = neighbour(CODE, self.strings[0][string])
        W_E = model.W_E.copy()
        W_E[subject, _state(model)[string * CODE.length + coordinate]] *= -1
        found = self.margins(replace(model, W_E=W_E))
        query = (subject, *map(int, spelled(np.array([string]), self.alphabet)[0]))
        got = f"wrong: {questions(found, self.facts)}, answered {found.worst.got_name}"
        ok = found.wrong == [query] and found.worst.got == other and set(found.minimum) == {-2}
        return result(claims.CORRUPTED_BLOCK, got, ok)

    def silent_memory(self) -> ControlResult:
        """A memory that never fires: the readout keeps what the first stage reached."""
        found = self.margins(self._with_threshold(self.threshold + 1))
        predicted = self.predicted(threshold=self.threshold + 1)
        control, ok = claims.SILENT_MEMORY, not found.lower.any()
        if self.merged:  # nothing but the state holds what was reached
            control = replace(control, name="silent memory", expected="all logits tie")
        else:
            reached = np.broadcast_to(self.strings[0][:, None], self.answers.shape)
            ok = np.array_equal(found.lower > 0, (self.answers == reached).reshape(found.lower.shape))
        return as_predicted(control, found, predicted, fails=True, besides=ok)

    def low_threshold(self) -> ControlResult:
        """A memory that also fires, at a third of the strength, for words at distance 1."""
        low = self.threshold - 2
        found, control = self.margins(self._with_threshold(low)), claims.LOW_THRESHOLD
        if self.merged:
            control = replace(control, name="memory threshold m - 2 in place of m")
        return as_predicted(control, found, self.predicted(threshold=low))

    def state_kept(self) -> ControlResult:
        """The first stage without its erasing neurons and their bias."""
        model = self.model()
        state, first = _state(model), _mlp(model, 0)
        W_out, b_out = dense(first.W_out).copy(), first.b_out.copy()
        if self.merged:
            W_out[self.R * self.facts.n_subjects :, state] = 0
        else:
            W_out[len(self.strings[0]) * CODE.length :] = 0
        b_out[state] = 0
        found = self.margins(_with_mlp(model, 0, W_out=W_out, b_out=b_out))
        return as_predicted(claims.STATE_KEPT, found, self.predicted(erased=False), fails=True)

    def corrupted_memory(self) -> ControlResult:
        """One coordinate of what the memory writes for one entity, moved so that it holds another word."""
        model, string = self.model(), 2
        entity, coordinate, _ = neighbour(CODE, self.strings[1][string])
        W_out, N = dense(_mlp(model, self._memory).W_out).copy(), self.facts.n_subjects
        neurons = entity + N * np.arange(self.R if self.merged else 1)
        W_out[neurons, _state(model)[string * CODE.length + coordinate]] *= -1
        found = self.margins(_with_mlp(model, self._memory, W_out=W_out))
        through = np.zeros(self.answers.shape, dtype=bool)
        through[:, string] = self.strings[0] == entity
        wrong = found.upper <= 0
        got = f"{wrong.sum()} wrong, {through.sum()} pass through"
        return result(claims.CORRUPTED_MEMORY, got, np.array_equal(wrong, through.reshape(wrong.shape)))

    def softer(self) -> ControlResult:
        """Softmax at half the scale."""
        options = {"hops": sum(self.lengths), "code": CODE} | self.asked
        return softer(self.construct, self.facts, self.alphabet, **options)

    @property
    def _memory(self) -> int:
        """The layer of the first memory."""
        return 0 if self.merged else 1

    def _with_threshold(self, threshold: int) -> Transformer:
        """The model whose first memory has another threshold."""
        model = self.model()
        b_in = _mlp(model, self._memory).b_in.copy()
        b_in[: self.facts.n_subjects * (self.R if self.merged else 1)] = -float(threshold)
        return _with_mlp(model, self._memory, b_in=b_in)


def _state(model: Transformer) -> NDArray[Any]:
    """The coordinates that hold the subjects' blocks."""
    assert model.storage is not None
    return model.storage.coordinates


def _mlp(model: Transformer, layer: int) -> MLP:
    mlp = model.blocks[layer].mlp
    assert mlp is not None
    return mlp


def _with_mlp(model: Transformer, layer: int, **weights: Any) -> Transformer:
    """The model with some weights of one MLP replaced."""
    blocks = list(model.blocks)
    blocks[layer] = replace(blocks[layer], mlp=replace(_mlp(model, layer), **weights))
    return replace(model, blocks=tuple(blocks))


def _read_merged(first: Floats, second: Floats, gate: float, threshold: float, erased: bool) -> Floats:
    """What C5(b), merged, reads after two hops, whole or broken; first and second of shape (R, N, m).

    Neuron (r, x) fires by ReLU(<u(x), block_r> + 1[r asked] - threshold); then C1 reads the state.
    """
    R, N, m = first.shape
    fires = first @ CODE.words.T + np.eye(R)[..., None, None] - threshold  # (asked, r, N, entity)
    state = np.maximum(0.0, fires).sum(axis=1) @ second.swapaxes(0, 1).reshape(N, -1)
    state = state.reshape(R, 1, N, len(second), m)
    if not erased:
        state = state + first.swapaxes(0, 1)
    lifts = 2 * gate * (np.eye(len(second)) - 1)[None, :, None, :, None]
    return np.asarray(np.maximum(0.0, state + lifts + 1).sum(axis=3) - 1)


def softer(
    construct: Callable[..., Transformer], facts: FactTable, alphabet: NDArray[np.int64], **options: Any
) -> ControlResult:
    """Softmax with the scores halved: of the queries, which all keep the promise, one falls short of it."""
    promised = 1.0  # of 2
    model = construct(facts, attention="soft", margin=promised, **options)
    kept = margins(model, Chains(facts, alphabet)).minimum[0]
    short = margins(replace(model, attn_scale=0.5), Chains(facts, alphabet)).minimum[1]
    named = ", ".join(name for name, value in options.items() if value is True or name == "stages")
    got = f"{named or 'as it is'}: {float(kept):.4g} at the scale, {float(short):.4g} at half of it"
    return result(SOFTER, got, short < promised <= kept)


def all_softer(seen: Sequence[ControlResult]) -> ControlResult:
    """`softer` of several constructions as one result."""
    return result(SOFTER, "; ".join(one.got for one in seen), all(one.ok for one in seen))
