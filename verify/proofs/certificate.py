"""A certificate for weights at hand: a Coq development whose theorem speaks of every margin of these numbers.

The weights are written as whole numbers over powers of two, beside the facts and a codebook, W_U = factor x
words. `theory/proofs/certificate.v` proves once that its check, where it says true, bounds every margin; the
kernel runs it on these numbers. One layer with uniform attention, prompts `[s, r]`.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.transformer.arithmetic import dense
from georecall.constructions.transformer.layers import MLP, Attention, Block
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.proofs import FOLDER, in_order
from georecall.verify.proofs.coq import RefusedError, compile_into, run
from georecall.verify.usage import UsageError

Whole = NDArray[Any]  # whole numbers, of Python's own type where they are long
_PIECE = 64  # numbers packed into one literal: taking them off it again is quadratic in their number
NAME = "certificate_of_weights"


@dataclass(frozen=True)
class Certificate:
    """What is written: Coq's source, and the margin that its theorem promises."""

    source: str
    margin: Fraction


def certificate(
    model: Transformer, answers: NDArray[np.int64], margin: Fraction | None = None
) -> Certificate:
    """The development that certifies a margin of every fact.

    Args:
        model: one layer, uniform attention, ReLU; its unembedding reads a few words.
        answers: shape (R, N).
        margin: the margin to be certified; default: what the codebook proves, for signs 2.

    Raises:
        UsageError: the model is of another shape; the message says of which.
    """
    attention, mlp = _parts(model)
    R, N = answers.shape
    W = {name: np.atleast_2d(np.asarray(dense(weight), np.float64)) for name, weight in vars(mlp).items()}
    W |= {name: np.asarray(dense(getattr(attention, name)[0]), np.float64) for name in ("W_V", "W_O")}
    W |= {name: np.asarray(dense(getattr(model, name)), np.float64) for name in ("W_E", "W_pos", "W_U")}
    W["b_U"] = np.atleast_2d(np.asarray(dense(model.b_U), np.float64))
    D_x, D_V, D_O = max(_over(W["W_E"]), _over(W["W_pos"])), _over(W["W_V"]), _over(W["W_O"])
    D = 2 * D_x * D_V * D_O
    D_U = _over(W["W_U"])
    D_1 = max(_over(W["W_in"]), _over(W["b_in"]) // D, D_U, 1)
    D_2 = max(_over(W["W_out"]), _over(W["b_out"]) // (D * D_1), 1)
    end = D * D_1 * D_2
    D_U = max(D_U, _over(W["b_U"]) // end)
    columns = _whole(W["W_U"].T, D_U)
    factor, words = _codebook(columns)
    kappa, g = end // D_U, _step(words)
    proved = Fraction(kappa * g * g, 2 * end * D_U)
    margin = proved if margin is None else margin
    fields = {
        "subjects": _nat(N),
        "dim": _nat(model.d_model),
        "head_dim": _nat(W["W_V"].shape[1]),
        "width": _nat(W["W_in"].shape[1]),
        "outputs": _nat(model.d_vocab_out),
        "w_E": _rows(_whole(W["W_E"], D_x)),
        "w_pos": _rows(_whole(W["W_pos"][:2], D_x)),
        "w_V": _rows(_whole(W["W_V"], D_V)),
        "w_O": _rows(_whole(W["W_O"], D_O)),
        "w_in": _rows(_whole(W["W_in"].T, D_1)),
        "bias_in": _row(_whole(W["b_in"], D * D_1)[0]),
        "w_out": _rows(_whole(W["W_out"], D_2)),
        "bias_out": _row(_whole(W["b_out"], end)[0]),
        "w_U": _rows(columns),
        "bias_U": _row(_whole(W["b_U"], end * D_U)[0]),
        **{
            f"D_{name}": f"{value}%positive"
            for name, value in zip("xVO12U", (D_x, D_V, D_O, D_1, D_2, D_U), strict=True)
        },
    }
    base = (int(words.max()) - int(words.min())) // g + 1
    given = f"{_nat(R)} {_nat(words.shape[1])} answers_listed factor words {kappa} {g} {base}"
    source = _SOURCE.format(
        fields=";\n  ".join(f"{name} := {value}" for name, value in fields.items()),
        answers="; ".join(f"map Z.to_N ({_row(row)})" for row in answers),
        factor=_rows(factor),
        words=_rows(words),
        check=f"check weights_at_hand {given}%Z ({margin.numerator} # {margin.denominator})",
        given=given.replace(f" {kappa} {g} {base}", f" {kappa}%Z {g}%Z {base}%Z"),
        margin=f"({margin.numerator} # {margin.denominator})",
        N=_nat(N),
        R=_nat(R),
        A=_nat(model.d_vocab_out),
    )
    return Certificate(source, margin)


def write_certificate(certified: Certificate, folder: Path) -> None:
    """Writes a development that needs Coq alone: the certificate, the proofs it uses, how to run it."""
    folder.mkdir(parents=True, exist_ok=True)
    files = in_order("certificate")
    for file in files:
        shutil.copy(FOLDER / f"{file}.v", folder)
    (folder / f"{NAME}.v").write_text(certified.source, encoding="utf-8")
    commands = "".join(f"coqc -Q . Georecall {file}.v\n" for file in [*files, NAME])
    (folder / "check.sh").write_text(f'#!/bin/sh\nset -e\ncd "$(dirname "$0")"\n{commands}', encoding="utf-8")


def accepted(folder: Path) -> str | None:
    """What a written certificate rests on, once Coq has taken it: no axiom; None if Coq refuses the numbers.

    Raises:
        UsageError: there is no Coq, or none that takes the proofs.
    """
    compile_into(folder, ["certificate"])
    try:
        return run(folder, f"{NAME}.v").strip()
    except RefusedError:
        return None


def _parts(model: Transformer) -> tuple[Attention, MLP]:
    plain = model.ln_final is None and model.bos is None and model.W_pos is not None and model.n_ctx >= 2
    block = model.blocks[0] if len(model.blocks) == 1 else None
    if (
        not plain
        or type(block) is not Block
        or type(block.attention) is not Attention
        or type(block.mlp) is not MLP
    ):
        raise UsageError(
            "a certificate is for one layer of attention and ReLU MLP without norms, on prompts [s, r]"
        )
    attention = block.attention
    heads = zip(attention.W_Q, attention.W_K, strict=True)
    if len(attention.W_Q) != 1 or not all(not dense(Q).any() or not dense(K).any() for Q, K in heads):
        raise UsageError("a certificate is for one head whose scores are all 0 (W_Q or W_K is 0)")
    return attention, block.mlp


def _over(weight: NDArray[np.float64]) -> int:
    """The least power of two that makes all entries whole."""
    if not np.isfinite(weight).all():
        raise UsageError("a weight is no finite number")
    return max((float(x).as_integer_ratio()[1] for x in np.unique(weight)), default=1)


def _whole(weight: NDArray[np.float64], over: int) -> Whole:
    return np.array([[int(Fraction(float(x)) * over) for x in row] for row in weight], dtype=object).reshape(
        weight.shape
    )


def _codebook(columns: Whole) -> tuple[Whole, Whole]:
    """W_U = factor x words: coordinates that read the same are read as one.

    Args:
        columns: an output's weights, shape (A, d).

    Returns:
        Which coordinates each entry of a word sums over, shape (m, d), and the words, shape (A, m).
    """
    groups: dict[tuple[int, ...], list[int]] = {}
    for i, row in enumerate(columns.T):
        if row.any():
            groups.setdefault(tuple(row), []).append(i)
    factor = np.zeros((len(groups), columns.shape[1]), dtype=object)
    for k, coordinates in enumerate(groups.values()):
        factor[k, coordinates] = 1
    return factor, np.array(list(groups), dtype=object).reshape(len(groups), len(columns)).T


def _step(words: Whole) -> int:
    """The greatest number that divides all differences of the words, coordinate by coordinate; at least 1."""
    return max(1, int(np.gcd.reduce(np.append((words - words[0]).ravel(), 0))))


def _nat(n: int) -> str:
    return f"(Z.to_nat {n})"


def _row(row: Sequence[int] | Whole) -> str:
    """A list of whole numbers, packed."""
    values = [int(x) for x in row]
    offset = -min(values, default=0)
    bits = max(1, max((x + offset for x in values), default=0).bit_length())
    pieces = [values[i : i + _PIECE] for i in range(0, len(values), _PIECE)]
    packed = [(len(piece), sum((x + offset) << bits * i for i, x in enumerate(piece))) for piece in pieces]
    parts = [f"unpack {bits} {(1 << bits) - 1} ({offset}) {n} {z:#x}" for n, z in packed]
    return f"({' ++ '.join(parts) or '[]'})%Z"


def _rows(rows: Whole) -> str:
    """A list of lists, packed."""
    return "[" + ";\n    ".join(_row(row) for row in rows) + "]"


_SOURCE = """(** Every margin of these weights, by the theorem [certified] of certificate.v. *)

From Coq Require Import NArith ZArith.
From Georecall Require Import transformer certificate.

Definition weights_at_hand : Weights := {{|
  {fields} |}}.

Definition answers_listed : list (list N) := [{answers}].
Definition factor : list (list Z) := {factor}.
Definition words : list (list Z) := {words}.

Lemma accepted : {check} = true.
Proof. vm_cast_no_check (@eq_refl bool true). Qed.

Theorem every_margin s r b :
  (s < {N})%nat -> (r < {R})%nat -> (b < {A})%nat -> b <> answer answers_listed r s ->
  let asked := [(s, 0); (subjects weights_at_hand + r, 1)]%nat in
  {margin} <= logit (model weights_at_hand) asked (answer answers_listed r s)
    - logit (model weights_at_hand) asked b.
Proof. apply (certified weights_at_hand {given} {margin} accepted). Qed.

Print Assumptions every_margin.
"""
