"""A certificate for weights at hand: a Coq development that speaks of every margin of these numbers.

The weights are written as whole numbers over powers of two, beside the facts and, where W_U = factor x words,
the codebook. `theory/proofs/certificate.v` proves once that its checks, where they say true, bound every
margin of every prompt, or of every chain of thought; the kernel runs them on these numbers. Any number of
layers; attention is hard, or its scores are all 0.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from math import gcd
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.files.integers import in_whole_numbers
from georecall.constructions.transformer.arithmetic import dense
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.proofs import FOLDER, in_order
from georecall.theory.tools.files import replacing
from georecall.theory.tools.progress import Progress
from georecall.verify.proofs.coq import RefusedError, compile_into, coqc
from georecall.verify.proofs.written import (
    RUN,
    SOURCE,
    chain_theorems,
    hop_theorem,
    rows,
    rows_over,
    weights_of,
)
from georecall.verify.usage import UsageError

NAME = "certificate_of_weights"


@dataclass(frozen=True)
class Certificate:
    """What is written: Coq's source, beside `certificate.v`, and the margin that it promises of every prompt.

    Decided by the codebook or the logits; of chains of thought, of how many hops at most (0: of one pass).
    """

    source: str
    margin: Fraction
    by: str
    chains: int


def certificate(
    model: Transformer,
    answers: NDArray[np.int64],
    margin: Fraction | None = None,
    *,
    asked: Sequence[Mapping[str, Any]] = (),
    typed: bool = False,
    by: str = "codebook",
) -> Certificate | None:
    """The development that certifies a margin of everything that sample queries show a model to be asked.

    Args:
        model: ReLU, no norms, attention hard or with scores of 0.
        answers: shape (R, N).
        margin: to be certified; default: what the codebook proves. By logits it has to be given.
        asked: sample queries, see `verify.recall.weights.check_recall`; default: every fact, `[s, r]`.
        typed: whether hop t of one pass asks only relations of the t-th share.
        by: "codebook", or "logits": each against each other, for whatever weights.

    Returns:
        None where no codebook proves the margin: use "logits".

    Raises:
        UsageError: the model is of another kind; the message says of which.
    """
    stored = _stored(model, answers, asked, typed)
    R, N, A, K = len(answers), stored["subjects"], model.d_vocab_out, stored["chains"]
    if K and (len(model.blocks) != 1 or len(stored["layers"][0]["heads"]) != 1 or A != N):
        raise UsageError(
            "chains of thought are certified for one layer of one head whose outputs are the entities"
        )
    over_U = max(stored["W_U"]["shift"], stored["b_U"]["shift"])
    book = _codebook(stored, over_U, A) if by == "codebook" else None
    if by == "codebook" and (book is None or (margin is not None and margin > book.margin)):
        return None
    margin = book.margin if book and margin is None else margin
    if margin is None or (K and margin <= 0):
        raise UsageError(
            "which margin? chains need a positive one" if K else "which margin is to be certified?"
        )
    mu = f"({margin.numerator} # {margin.denominator})"
    if book:
        decide, words = "by_codebook weights A factor words", f"{book.length} factor words {book.given}"
        good = f"Lemma words_good : words_ok weights A {mu} {words} = true.\n{RUN}\n"
        sound = f"(by_codebook_sound weights A {mu} {words} eq_refl words_good)"
    else:
        decide, good, sound = f"by_logits weights A {mu}", "", f"(by_logits_sound weights A {mu})"
    source = SOURCE.format(
        sizes=f"Definition N : nat := Z.to_nat {N}.\nDefinition R : nat := Z.to_nat {R}.\n"
        f"Definition A : nat := Z.to_nat {A}.",
        book=book.written if book else "",
        weights=weights_of(stored, over_U, model.d_model, "product factor words" if book else None),
        table=rows([list(enumerate(row)) for row in answers.tolist()], N),
        decide=decide,
        sound=f"{good}Lemma decides : sound weights A {mu} decide.\nProof. exact {sound}. Qed.",
        theorems=chain_theorems(K, mu)
        if K
        else "\n".join(hop_theorem(k, R, stored["typed"], mu) for k in stored["hops"]),
    )
    return Certificate(source, margin, by, K)


def write_certificate(certified: Certificate, folder: Path) -> None:
    """Writes a development that needs Coq alone: the certificate, the proofs it uses, how to run it."""
    folder.mkdir(parents=True, exist_ok=True)
    files = in_order("certificate")
    texts = {f"{file}.v": (FOLDER / f"{file}.v").read_text("utf-8") for file in files}
    commands = "".join(f"coqc -Q . Georecall {file}.v\n" for file in [*files, NAME])
    texts |= {
        "check.sh": f'#!/bin/sh\nset -e\ncd "$(dirname "$0")"\n{commands}',
        f"{NAME}.v": certified.source,
    }
    for name, text in texts.items():
        with replacing(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def accepted(
    certificates: Iterable[Certificate], progress: Progress | None = None
) -> tuple[Certificate, str] | None:
    """The first certificate that Coq takes, and what it rests on: no axiom. None if Coq refuses all.

    Raises:
        UsageError: there is no Coq, or none that takes the proofs.
    """
    with TemporaryDirectory(prefix="georecall-certificate-") as name:
        folder = Path(name)
        compile_into(folder, ["certificate"], progress)
        for certified in certificates:
            (folder / f"{NAME}.v").write_text(certified.source, encoding="utf-8")
            with suppress(RefusedError):
                return certified, " ".join(dict.fromkeys(coqc(folder, f"{NAME}.v").strip().splitlines()))
    return None


def _stored(
    model: Transformer, answers: NDArray[np.int64], asked: Sequence[Mapping[str, Any]], typed: bool
) -> dict[str, Any]:
    """The model in whole numbers; a scale of scores folded into W_Q, as far as hard attention sees it."""
    unscored = all(
        not dense(Q).any() or not dense(K).any()
        for block in model.blocks
        if block.attention is not None
        for Q, K in zip(block.attention.W_Q, block.attention.W_K, strict=True)
    )
    if model.attention == "soft" and not unscored:
        raise UsageError(
            "a certificate is for hard attention, or scores that are all 0 (W_Q or W_K is 0): "
            "no whole number is a softmax of unequal scores"
        )
    N = answers.shape[1]
    if len({query["tokens"][0] < N for query in asked}) > 1:
        raise UsageError("its samples show one pass and chains of thought: a certificate is for one of them")
    try:
        stored = in_whole_numbers(
            model.placed(max((len(query["tokens"]) for query in asked), default=2)),
            answers,
            asked,
            typed=typed,
        )
    except ValueError as error:
        raise UsageError(f"no certificate: {error}") from error
    for layer in stored["layers"]:
        for head in layer["heads"]:
            head["W_Q"]["rows"] = [
                [[c, stored["sign_of_scale"] * n] for c, n in row] for row in head["W_Q"]["rows"]
            ]
    return stored


@dataclass(frozen=True)
class _Codebook:
    """W_U = factor x words: coordinates that read the same are read as one."""

    length: int
    margin: Fraction
    given: str  # step, base and offset of the words' numbers
    written: str


def _codebook(stored: Mapping[str, Any], shift: int, A: int) -> _Codebook | None:
    """The codebook, if the words differ and the bias is that of their norms."""
    groups: dict[tuple[tuple[int, int], ...], list[int]] = {}
    for i, row in enumerate(rows_over(stored["W_U"], shift)):
        if row:
            groups.setdefault(tuple(row), []).append(i)
    m = len(groups)
    factor: list[list[tuple[int, int]]] = [[] for _ in stored["W_U"]["rows"]]
    words = [[0] * m for _ in range(A)]
    for j, (read, coordinates) in enumerate(groups.items()):
        for i in coordinates:
            factor[i] = [(j, 1)]
        for a, number in read:
            words[a][j] = number
    bias = dict(rows_over(stored["b_U"], shift)[0])
    norms = {2 * bias.get(a, 0) * (1 << shift) + sum(x * x for x in word) for a, word in enumerate(words)}
    if not m or len(norms) > 1 or len({tuple(word) for word in words}) < A:
        return None
    step = gcd(*(x - y for word in words for x, y in zip(word, words[0], strict=True))) or 1
    low = min(min(word) for word in words)
    base = (max(max(word) for word in words) - low) // step + 1
    offset = 1 - sum(base**j * low for j in range(m))
    listed = [[(j, x) for j, x in enumerate(word) if x] for word in words]
    written = (
        f"\n(** W_U = factor x words. *)\nDefinition factor : mat := {rows(factor, m)}.\n"
        f"Definition words : mat := {rows(listed, m)}.\n"
    )
    return _Codebook(m, Fraction(step**2, 2 << 2 * shift), f"{step} {base} ({offset})", written)
