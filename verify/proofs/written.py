"""Weights as text that Coq reads: whole numbers, packed; and the theorems that are stated of them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Pairs = Sequence[Sequence[int]]  # columns and numbers of a row
_PIECE = 64  # numbers packed into one literal: taking them off it again is quadratic in their number
_SPARSE = 4  # a row with fewer entries than this share of its columns is written entry by entry
_SCORES = ("Q", "K")


def weights_of(stored: Mapping[str, Any], over_U: int, d: int, unembedding: str | None) -> str:
    """The record of all weights; W_U by itself, or as the product that it is."""
    D_x = max(stored["W_E"]["shift"], stored["W_pos"]["shift"])
    layers = ";\n    ".join(_layer(layer) for layer in stored["layers"])
    fields = {
        "dim": f"Z.to_nat {d}",
        "n_E": _matrix(stored["W_E"], D_x),
        "n_pos": _matrix(stored["W_pos"], D_x),
        "D_x": _denominator(D_x),
        "n_layers": f"[{layers}]",
        "n_U": unembedding or _matrix(stored["W_U"], over_U),
        "n_b_U": _bias(stored["b_U"], over_U),
        "D_U": _denominator(over_U),
    }
    return ";\n  ".join(f"{name} := {value}" for name, value in fields.items())


def _layer(layer: Mapping[str, Any]) -> str:
    heads, mlp = layer["heads"], layer["mlp"]
    D_V, D_O = (max((head[name]["shift"] for head in heads), default=0) for name in ("W_V", "W_O"))
    listed = "; ".join(_head(head, D_V, D_O) for head in heads)
    fields = f"n_heads := [{listed}]; D_V := {_denominator(D_V)}; D_O := {_denominator(D_O)}"
    return f"{{| {fields}; n_mlp := {f'Some {_mlp(mlp)}' if mlp else 'None'} |}}"


def _head(head: Mapping[str, Any], D_V: int, D_O: int) -> str:
    matrices = {name: _matrix(head[f"W_{name}"], head[f"W_{name}"]["shift"]) for name in _SCORES}
    matrices |= {"V": _matrix(head["W_V"], D_V), "O": _matrix(head["W_O"], D_O)}
    fields = {
        "score_dim": f"Z.to_nat {head['W_Q']['columns']}",
        "value_dim": f"Z.to_nat {head['W_V']['columns']}",
    }
    fields |= {f"n_{name}": matrix for name, matrix in matrices.items()}
    fields |= {f"D_{name}": _denominator(head[f"W_{name}"]["shift"]) for name in _SCORES}
    return _record(fields)


def _mlp(mlp: Mapping[str, Any]) -> str:
    D_1, D_2 = (max(mlp[f"W_{at}"]["shift"], mlp[f"b_{at}"]["shift"]) for at in ("in", "out"))
    fields = {"width": f"Z.to_nat {mlp['W_in']['columns']}", "n_in": _matrix(mlp["W_in"], D_1)}
    fields |= {"n_b_in": _bias(mlp["b_in"], D_1), "n_out": _matrix(mlp["W_out"], D_2)}
    fields |= {"n_b_out": _bias(mlp["b_out"], D_2)}
    return _record(fields | {"D_1": _denominator(D_1), "D_2": _denominator(D_2)})


def _record(fields: Mapping[str, str]) -> str:
    return "{| " + "; ".join(f"{name} := {value}" for name, value in fields.items()) + " |}"


def _denominator(shift: int) -> str:
    return f"{1 << shift}%positive"


def rows_over(matrix: Mapping[str, Any], shift: int) -> list[list[tuple[int, int]]]:
    """The rows of a matrix (see `files.integers.whole_numbers`) over another power of two."""
    return [[(c, n << shift - matrix["shift"]) for c, n in row] for row in matrix["rows"]]


def _matrix(matrix: Mapping[str, Any], shift: int) -> str:
    return rows(rows_over(matrix, shift), matrix["columns"])


def _bias(bias: Mapping[str, Any], shift: int) -> str:
    return _vector(rows_over(bias, shift)[0], bias["columns"])


def rows(rows: Iterable[Pairs], columns: int) -> str:
    """A list of rows as the term of Coq that is the matrix."""
    return "rows [" + ";\n    ".join(_vector(row, columns) for row in rows) + "]"


def _vector(row: Pairs, columns: int) -> str:
    """A row as Coq reads it: packed, or entry by entry where most are 0."""
    if not row:
        return "Leaf"
    if _SPARSE * len(row) < columns:
        return f"sparse [{'; '.join(f'({c}, {n})' for c, n in row)}]%Z"
    values = [0] * columns
    for c, n in row:
        values[c] = n
    offset = -min(values)
    bits = max(1, (max(values) + offset).bit_length())
    pieces = [values[i : i + _PIECE] for i in range(0, columns, _PIECE)]
    packed = [(len(piece), sum((x + offset) << bits * i for i, x in enumerate(piece))) for piece in pieces]
    parts = [f"unpack {bits} {(1 << bits) - 1} ({offset}) {n} {z:#x}" for n, z in packed]
    return f"dense ({' ++ '.join(parts)})%Z"


def hop_theorem(k: int, R: int, typed: bool, mu: str) -> str:
    """The theorem for k hops: hop t asks one of all relations, or of its share."""
    share = R // k
    shares = [(t * share, share) if typed else (0, R) for t in range(k)]
    listed = "; ".join(f"(Z.to_nat {first}, Z.to_nat {n})" for first, n in shares)
    theorem = _SINGLE if k == 1 else _HOPS
    return theorem.replace("{k}", str(k)).replace("{shares}", f"[{listed}]").replace("{mu}", mu)


def chain_theorems(K: int, mu: str) -> str:
    """The theorems for chains of at most K hops."""
    return _CHAINS.replace("{K}", f"(Z.to_nat {K})").replace("{mu}", mu)


RUN = "Proof. vm_cast_no_check (@eq_refl bool true). Qed."

SOURCE = """(** Every margin of these weights, by the theorems of certificate.v. *)

From Coq Require Import ZArith.
From Georecall Require Import transformer chain_of_thought trees forward certificate.

{sizes}
{book}
Definition weights : weights_at_hand := {{|
  {weights} |}}.

(** Row r holds the number of what relation r says of each subject. *)
Definition table : mat := {table}.

Definition decide := {decide}.
{sound}

{theorems}"""

_SINGLE = f"""Lemma accepted_1 : hops_ok weights N decide table [(0, R)]%nat = true.
{RUN}

Theorem every_margin s r b :
  (s < N)%nat -> (r < R)%nat -> (b < A)%nat -> b <> answer table r s ->
  let p := [(s, 0); (N + r, 1)]%nat in
  {{mu}} <= logit (model weights) p (answer table r s) - logit (model weights) p b.
Proof. exact (every_fact weights N A {{mu}} decide table decides R s r b accepted_1). Qed.
Print Assumptions every_margin.
"""

_HOPS = f"""Definition shares_{{k}} := {{shares}}.
Lemma accepted_{{k}} : hops_ok weights N decide table shares_{{k}} = true.
{RUN}

Theorem every_margin_{{k}} s rs b :
  (s < N)%nat -> Forall2 in_share rs shares_{{k}} -> (b < A)%nat -> b <> reached table s rs ->
  let p := asked N s rs in
  {{mu}} <= logit (model weights) p (reached table s rs) - logit (model weights) p b.
Proof.
  exact (fun Hs => every_hop weights N A {{mu}} decide table decides shares_{{k}} s rs b accepted_{{k}} Hs).
Qed.
Print Assumptions every_margin_{{k}}.
"""

_CHAINS = f"""Definition K : nat := {{K}}.
Definition layer := hd (Build_layer_at_hand [] 1 1 None) (n_layers weights).
Definition head := hd (Build_head_at_hand 0 0 Leaf Leaf Leaf Leaf 1 1) (n_heads layer).
Definition neurons :=
  match n_mlp layer with Some f => f | None => Build_mlp_at_hand 0 Leaf Leaf Leaf Leaf 1 1 end.

Lemma accepted : chains_ok weights N {{mu}} decide table R K head neurons = true.
{RUN}

(** What the model says, one of its best entities at every step, is the chain, for all of at most K hops. *)
Theorem every_chain_is_right k rs es s :
  (k <= K)%nat -> (forall t, (t < k)%nat -> (rs t < R)%nat) -> (s < N)%nat -> es 0%nat = s ->
  generated (model weights) N K k rs es -> forall i, (i <= k)%nat -> es i = chain (answer table) rs s i.
Proof.
  exact (every_chain weights N A {{mu}} decide table decides R K head neurons (D_V layer) (D_O layer)
    eq_refl eq_refl accepted k rs es s).
Qed.
Print Assumptions every_chain_is_right.

Theorem every_margin k rs s i b :
  (k <= K)%nat -> (forall t, (t < k)%nat -> (rs t < R)%nat) -> (s < N)%nat -> (i < k)%nat -> (b < N)%nat ->
  b <> chain (answer table) rs s (i + 1) ->
  let p := step N K k rs (chain (answer table) rs s) i in
  {{mu}} <= logit (model weights) p (chain (answer table) rs s (i + 1)) - logit (model weights) p b.
Proof.
  exact (every_step weights N A {{mu}} decide table decides R K head neurons (D_V layer) (D_O layer)
    eq_refl eq_refl accepted k rs s i b).
Qed.
Print Assumptions every_margin.
"""
