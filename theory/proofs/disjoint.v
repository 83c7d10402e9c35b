(** C11: additive logits without an MLP, and (b): relations with disjoint attribute sets need none. *)

From Georecall Require Import transformer single_hop hops.

(** * Without an MLP and with W_Q = 0, at any depth, logits are additive: the premise of C11(a) *)

Definition plain (L : Layer) : Prop := mlp L = None /\ forall h, In h (heads L) -> forall c a, W_Q h c a == 0.

Lemma even_weights S h x t i : (forall c a, W_Q h c a == 0) -> (i <= t)%nat ->
  hard (score S h x t) t i == 1 / inject_Z (Z.of_nat (Datatypes.S t)).
Proof.
  intros E I. apply hard_uniform; trivial.
  assert (Z : forall j, score S h x t j == 0).
  { intro j. unfold score. apply sum_0. intros a _. unfold times at 1. rewrite sum_0; [ring|].
    intros c _. rewrite E. ring. }
  intros j k _ _. now rewrite !Z.
Qed.

Lemma run_plain_plus S L x y z t c : plain L -> (forall t c, z t c == x t c + y t c) ->
  run S L z t c == run S L x t c + run S L y t c.
Proof.
  intros [E W] Z. unfold run. rewrite E. unfold attended. rewrite Z.
  rewrite (sum_ext (heads L) (fun h => attend S h z t c) (fun h => attend S h x t c + attend S h y t c)).
  - rewrite sum_plus. ring.
  - intros h I. unfold attend. rewrite <- sum_plus. apply sum_ext. intros a _.
    rewrite <- Qmult_plus_distr_l. apply Qmult_comp; [|reflexivity]. rewrite <- sum_plus. apply sum_ext. intros i Hi.
    apply in_range in Hi. rewrite !even_weights by (try apply W; trivial; lia).
    rewrite (times_ext S (z i) (fun c => x i c + y i c)), times_plus by apply Z. ring.
Qed.

Lemma run_plain_ext S L x y t c : plain L -> (forall t c, x t c == y t c) -> run S L x t c == run S L y t c.
Proof.
  intros P E. transitivity (run S L y t c + run S L (fun _ _ => 0) t c).
  - apply run_plain_plus; trivial. intros. rewrite E. ring.
  - symmetry. apply run_plain_plus; trivial. intros. ring.
Qed.

Lemma layers_plus S Ls : (forall L, In L Ls -> plain L) -> forall x y z, (forall t c, z t c == x t c + y t c) ->
  forall t c, fold_left (fun x L => run S L x) Ls z t c
    == fold_left (fun x L => run S L x) Ls x t c + fold_left (fun x L => run S L x) Ls y t c.
Proof.
  induction Ls as [|L Ls IH]; intros P x y z Z t c; [apply Z|]. cbn [fold_left].
  apply IH; [intros; apply P; now right|]. intros. apply run_plain_plus; trivial. apply P. now left.
Qed.

Theorem additive M : (forall L, In L (layers M) -> plain L) ->
  exists f g : nat -> nat -> Q, forall s r a, logit M [(s, 0); (r, 1)]%nat a == f s a + g r a.
Proof.
  intro P. set (S := stream M). set (through := fold_left (fun x L => run S L x) (layers M)).
  pose (x s := fun t c => if (t =? 0)%nat then W_E M s c + W_pos M 0 c else 0).
  pose (y r := fun t c => if (t =? 0)%nat then 0 else embedded M [(0, 0); (r, 1)]%nat t c).
  exists (fun s a => times S (through (x s) 1%nat) (W_U M) a),
    (fun r a => times S (through (y r) 1%nat) (W_U M) a + b_U M a).
  intros s r a. unfold logit. cbn [length]. change (2 - 1)%nat with 1%nat. rewrite Qplus_assoc, <- times_plus.
  apply Qplus_comp; [|reflexivity]. apply times_ext. intro c.
  apply (layers_plus S (layers M) P (x s) (y r) (embedded M [(s, 0); (r, 1)]%nat)).
  intros [|[|[|t]]] d; unfold x, y, embedded; cbn [Nat.eqb nth]; ring.
Qed.

(** * C11(b): disjoint attribute sets, no MLP, d_model = R (m + 1) *)

Section Disjoint.
  Variables (N R m : nat) (relation_of : nat -> nat) (pi : nat -> nat -> nat).
  Variables (u : nat -> nat -> Q) (gate bias : Q).
  Hypothesis u_signs : signs m u.
  Hypothesis disjoint : forall r s, relation_of (pi r s) = r.

  (** Block r holds the word of the answer; the relation's token marks one coordinate more. *)
  Definition marked (token : nat) : vector := fun c =>
    match c with
    | Block b j => if (token <? N)%nat then u (pi b token) j else 0
    | Relation b => if (token <? N)%nat then 0 else if (token - N =? b)%nat then gate else 0
    | _ => 0
    end.

  Definition read_own_block (c : direction) (a : nat) : Q :=
    match c with
    | Block b j => if (relation_of a =? b)%nat then u a j else 0
    | Relation b => if (relation_of a =? b)%nat then 1 else 0
    | _ => 0
    end.

  Definition without_mlp : Transformer :=
    mkTransformer (Space R m 0 0 R 0 0) marked (fun _ _ => 0) [mkLayer [uniform (Space R m 0 0 R 0 0)] None]
      read_own_block (fun _ => bias).

  Lemma disjoint_logit s r a : (s < N)%nat -> (r < R)%nat -> (relation_of a < R)%nat ->
    logit without_mlp (query N s r) a
      == (Σ j ∈ range m, (u (pi (relation_of a) s) j * u a j)) + (if (r =? relation_of a)%nat then 2 * gate else 0) + bias.
  Proof.
    intros Hs Hr Ha. set (S := Space R m 0 0 R 0 0). set (x := residual without_mlp (query N s r) 1).
    assert (X : forall c, inside S c -> x c == marked s c + 2 * marked (N + r) c).
    { intros c I. unfold x, residual. cbn [layers without_mlp fold_left run mlp heads stream].
      rewrite attended_uniform by exact I. cbn. ring. }
    assert (Hq : (N + r <? N)%nat = false) by (apply Nat.ltb_ge; lia). apply Nat.ltb_lt in Hs.
    unfold logit. cbn [length query]. change (2 - 1)%nat with 1%nat. fold x. unfold times.
    rewrite sum_directions. cbn [stream without_mlp n_blocks word_length n_readout n_key n_relation n_asked n_position b_U W_U].
    rewrite (sum_range_one R (relation_of a)), (sum_range_one R (relation_of a)); trivial.
    - cbn [read_own_block]. rewrite Nat.eqb_refl, X by exact Ha. cbn [marked]. rewrite Hs, Hq.
      replace (N + r - N)%nat with r by lia.
      rewrite (sum_range_ext m _ (fun j => u (pi (relation_of a) s) j * u a j)).
      + cbn [range seq sum]. destruct (r =? relation_of a)%nat; ring.
      + intros j J. rewrite X by (cbn; lia). cbn [marked]. rewrite Hs, Hq. ring.
    - intros b _ D. cbn [read_own_block]. rewrite (proj2 (Nat.eqb_neq (relation_of a) b)) by congruence. ring.
    - intros b _ D. apply sum_range_0. intros j _. cbn [read_own_block].
      rewrite (proj2 (Nat.eqb_neq (relation_of a) b)) by congruence. ring.
  Qed.

  (** Every margin is min(2h, 2 gate): 2 x distance against the relation's own attributes, *)
  Theorem disjoint_own s r a : (s < N)%nat -> (r < R)%nat -> relation_of a = r ->
    logit without_mlp (query N s r) (pi r s) - logit without_mlp (query N s r) a
      == 2 * whole (distance m u (pi r s) a).
  Proof.
    intros Hs Hr E. rewrite !disjoint_logit, E, disjoint, Nat.eqb_refl by (rewrite ?E, ?disjoint; trivial).
    rewrite !(product (Space R m m 0 0 0 0) u u_signs). cbn [word_length]. rewrite distance_self. unfold whole. cbn. ring.
  Qed.

  (** at least 2 gate against all others, and just that against what the subject has in another relation. *)
  Theorem disjoint_others s r a : (s < N)%nat -> (r < R)%nat -> (relation_of a < R)%nat -> relation_of a <> r ->
    2 * gate <= logit without_mlp (query N s r) (pi r s) - logit without_mlp (query N s r) a
    /\ (a = pi (relation_of a) s ->
        logit without_mlp (query N s r) (pi r s) - logit without_mlp (query N s r) a == 2 * gate).
  Proof.
    intros Hs Hr Ha D. rewrite !disjoint_logit, disjoint, Nat.eqb_refl by (rewrite ?disjoint; trivial).
    rewrite (proj2 (Nat.eqb_neq r (relation_of a))) by congruence.
    rewrite !(product (Space R m m 0 0 0 0) u u_signs). cbn [word_length]. rewrite distance_self.
    change (whole 0) with 0. split.
    - assert (0 <= whole (distance m u (pi (relation_of a) s) a)).
      { unfold whole. change 0 with (inject_Z 0). rewrite <- Zle_Qle. lia. }
      lra.
    - intro E. rewrite <- E, distance_self. change (whole 0) with 0. ring.
  Qed.
End Disjoint.

(** ** Sets of unequal size: words of m_r coordinates one after the other, b_U = -m_r; d_model = sum (m_r + 1) *)

Section Unequal.
  Variables (N R : nat) (m : nat -> nat) (relation_of : nat -> nat) (pi : nat -> nat -> nat) (u : nat -> nat -> Q) (gate : Q).
  Hypothesis u_signs : forall a j, u a j == 1 \/ u a j == -(1).
  Hypothesis disjoint : forall r s, relation_of (pi r s) = r.

  Fixpoint offset (r : nat) : nat := match r with O => 0 | S r => offset r + m r end.

  (** Coordinate i, if it is the j-th of set r for some j. *)
  Definition in_set (f : nat -> Q) (r i : nat) : Q := Σ j ∈ range (m r), (if (i =? offset r + j)%nat then f j else 0).

  Definition unequal_words (token : nat) : vector := fun c =>
    match c with
    | Readout i => if (token <? N)%nat then Σ r ∈ range R, (in_set (u (pi r token)) r i) else 0
    | Relation r => if (token <? N)%nat then 0 else if (token - N =? r)%nat then gate else 0
    | _ => 0
    end.

  Definition read_own_set (c : direction) (a : nat) : Q :=
    match c with
    | Readout i => in_set (u a) (relation_of a) i
    | Relation r => if (relation_of a =? r)%nat then 1 else 0
    | _ => 0
    end.

  Let S := Space 0 0 (offset R) 0 R 0 0.
  Definition unequal : Transformer :=
    mkTransformer S unequal_words (fun _ _ => 0) [mkLayer [uniform S] None] read_own_set (fun a => - whole (m (relation_of a))).

  Lemma offset_mono r r' : (r < r')%nat -> (offset r + m r <= offset r')%nat.
  Proof. induction r' as [|r' IH]; intro H; [lia|]. cbn [offset]. destruct (Nat.eq_dec r r') as [->|D]; [lia|]. specialize (IH ltac:(lia)). lia. Qed.

  Lemma in_set_at f r r' j : (j < m r)%nat -> in_set f r' (offset r + j) == if (r' =? r)%nat then f j else 0.
  Proof.
    intro J. unfold in_set. destruct (Nat.eqb_spec r' r) as [->|D].
    - rewrite (sum_range_one (m r) j), Nat.eqb_refl; [reflexivity|trivial|]. intros i _ D.
      now rewrite (proj2 (Nat.eqb_neq (offset r + j) (offset r + i))) by lia.
    - apply sum_range_0. intros i I. rewrite (proj2 (Nat.eqb_neq _ _)); [reflexivity|].
      destruct (Nat.lt_ge_cases r r') as [L|L]; [pose proof (offset_mono r r' L)|pose proof (offset_mono r' r ltac:(lia))]; lia.
  Qed.

  (** <u(a), the word of its own set> - m_r is -2 x distance; 2 gate more if r is asked for. *)
  Lemma unequal_logit s r a : (s < N)%nat -> (r < R)%nat -> (relation_of a < R)%nat ->
    logit unequal (query N s r) a
      == (if (r =? relation_of a)%nat then 2 * gate else 0) - 2 * whole (distance (m (relation_of a)) u (pi (relation_of a) s) a).
  Proof.
    intros Hs Hr Ha. set (x := residual unequal (query N s r) 1). set (ra := relation_of a) in *.
    assert (X : forall c, inside S c -> x c == unequal_words s c + 2 * unequal_words (N + r) c).
    { intros c I. unfold x, residual. cbn [layers unequal fold_left run mlp heads stream].
      rewrite attended_uniform by exact I. cbn. ring. }
    assert (Hq : (N + r <? N)%nat = false) by (apply Nat.ltb_ge; lia). apply Nat.ltb_lt in Hs.
    pose proof (product (Space 0 (m ra) 0 0 0 0 0) u (fun a j _ => u_signs a j) (pi ra s) a) as P. cbn [word_length] in P.
    assert (Word : Σ i ∈ range (offset R), (x (Readout i) * in_set (u a) ra i) == Σ j ∈ range (m ra), (u (pi ra s) j * u a j)).
    { unfold in_set at 1.
      transitivity (Σ j ∈ range (m ra), Σ i ∈ range (offset R), (x (Readout i) * (if (i =? offset ra + j)%nat then u a j else 0))).
      - rewrite <- sum_swap. apply sum_ext. intros i _. now rewrite sum_scale.
      - apply sum_range_ext. intros j J. pose proof (offset_mono ra R Ha).
        rewrite (sum_range_one (offset R) (offset ra + j)), Nat.eqb_refl; [|lia|].
        + rewrite X by (cbn; lia). cbn [unequal_words]. rewrite Hs, Hq, (sum_range_one R ra), in_set_at, Nat.eqb_refl; trivial; [ring|].
          intros r' _ D. rewrite in_set_at, (proj2 (Nat.eqb_neq r' ra) D) by trivial. reflexivity.
        + intros i _ D. rewrite (proj2 (Nat.eqb_neq i (offset ra + j)) D). ring. }
    unfold logit. cbn [length query]. change (2 - 1)%nat with 1%nat. fold x. unfold times. rewrite sum_directions.
    cbn [stream unequal S n_blocks word_length n_readout n_key n_relation n_asked n_position b_U W_U read_own_set]. fold ra.
    rewrite Word, P, (sum_range_one R ra) by (trivial; intros r' _ D; rewrite (proj2 (Nat.eqb_neq ra r')) by congruence; ring).
    rewrite Nat.eqb_refl, X by exact Ha. cbn [unequal_words]. rewrite Hs, Hq. replace (N + r - N)%nat with r by lia.
    cbn [range seq sum]. destruct (r =? ra)%nat; ring.
  Qed.

  (** Every margin is min(2h, 2 gate), whatever the sizes. *)
  Theorem unequal_own s r a : (s < N)%nat -> (r < R)%nat -> relation_of a = r ->
    logit unequal (query N s r) (pi r s) - logit unequal (query N s r) a == 2 * whole (distance (m r) u (pi r s) a).
  Proof.
    intros Hs Hr E. rewrite !unequal_logit, E, disjoint, Nat.eqb_refl, distance_self by (rewrite ?E, ?disjoint; trivial).
    change (whole 0) with 0. ring.
  Qed.

  Theorem unequal_others s r a : (s < N)%nat -> (r < R)%nat -> (relation_of a < R)%nat -> relation_of a <> r ->
    2 * gate <= logit unequal (query N s r) (pi r s) - logit unequal (query N s r) a
    /\ (a = pi (relation_of a) s -> logit unequal (query N s r) (pi r s) - logit unequal (query N s r) a == 2 * gate).
  Proof.
    intros Hs Hr Ha D. rewrite !unequal_logit, disjoint, Nat.eqb_refl, distance_self by (rewrite ?disjoint; trivial).
    rewrite (proj2 (Nat.eqb_neq r (relation_of a))) by congruence. change (whole 0) with 0. split.
    - assert (0 <= whole (distance (m (relation_of a)) u (pi (relation_of a) s) a)) by
        (unfold whole; change 0 with (inject_Z 0); rewrite <- Zle_Qle; lia). lra.
    - intro E. rewrite <- E, distance_self. change (whole 0) with 0. ring.
  Qed.
End Unequal.
