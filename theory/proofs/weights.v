(** Every weight of a model as lists of numerators and denominators, in the order in which the code lays them out:
    what the tests compare with NumPy's, entry by entry. *)

From Georecall Require Import transformer single_hop.

Definition entry (q : Q) : Z * Z := let q := Qred q in (Qnum q, Zpos (Qden q)).

Definition matrix {A B} (rows : list A) (columns : list B) (W : A -> B -> Q) : list (Z * Z) :=
  flat_map (fun a => map (fun b => entry (W a b)) columns) rows.

Definition head_weights (S : space) (h : Head) : list (list (Z * Z)) :=
  let ds := directions S in
  [matrix ds (scored h) (W_Q h); matrix ds (scored h) (W_K h); matrix ds (carried h) (W_V h); matrix (carried h) ds (W_O h)].

Definition mlp_weights (S : space) (f : MLP) : list (list (Z * Z)) :=
  let ds := directions S in
  [matrix ds (neurons f) (W_in f); map (fun n => entry (b_in f n)) (neurons f);
   matrix (neurons f) ds (W_out f); map (fun c => entry (b_out f c)) ds].

Definition layer_weights (S : space) (L : Layer) : list (list (Z * Z)) :=
  flat_map (head_weights S) (heads L) ++ match mlp L with Some f => mlp_weights S f | None => [] end.

Definition weights (M : Transformer) (tokens positions outputs : nat) : list (list (Z * Z)) :=
  let ds := directions (stream M) in
  [matrix (range tokens) ds (W_E M); matrix (range positions) ds (W_pos M)]
  ++ flat_map (layer_weights (stream M)) (layers M)
  ++ [matrix ds (range outputs) (W_U M); map (fun a => entry (b_U M a)) (range outputs)].

Definition logits (M : Transformer) (outputs : nat) (p : prompt) : list (Z * Z) :=
  map (fun a => entry (logit M p a)) (range outputs).

(** Tables and codes given as lists, and the bias -|v_a|^2/2. *)
Definition listed (rows : list (list nat)) (r s : nat) : nat := nth s (nth r rows []) 0%nat.
Definition words (rows : list (list Z)) (a j : nat) : Q := inject_Z (nth j (nth a rows []) 0%Z).
Definition half_norms (m : nat) (v : nat -> nat -> Q) (a : nat) : Q := - squared_norm m v a / 2.
Definition no_bias (a : nat) : Q := 0.

(** C1-w: groups of p coordinates, weights 1, 2, 4, ... *)
Definition binary (p j i : nat) : Q := if (j / p =? i)%nat then inject_Z (2 ^ Z.of_nat (j mod p)) else 0.
