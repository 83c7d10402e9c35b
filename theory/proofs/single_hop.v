(** C1: one layer recalls every table.

    For all N, R, m, every table of functions, every value code v with entries in [lo, hi] and every gate of at
    least (hi - lo)/2 the margin against attribute b is exactly half the squared distance of the words of the
    answer and of b. The numbers are rational. *)

From Georecall Require Import transformer.

(** * Value codes and the readout *)

Section Readout.
  Variables (m : nat) (v : nat -> nat -> Q).

  Definition squared_distance (a b : nat) : Q := Σ j ∈ range m, ((v a j - v b j) * (v a j - v b j)).
  Definition squared_norm (a : nat) : Q := Σ j ∈ range m, (v a j * v a j).

  (** The bias -|v_a|^2/2, or another that differs from it by a constant: 0 where all words have one norm. *)
  Definition nearest (bias : nat -> Q) : Prop := exists k, forall a, bias a == k - squared_norm a / 2.

  Lemma nearest_neighbour bias y a b :
    nearest bias -> (forall j, (j < m)%nat -> y j == v a j) ->
    (Σ j ∈ range m, (y j * v a j) + bias a) - (Σ j ∈ range m, (y j * v b j) + bias b)
      == squared_distance a b / 2.
  Proof.
    intros [k B] Y. rewrite !B.
    rewrite (sum_range_ext m (fun j => y j * v a j) (fun j => v a j * v a j)) by (intros; now rewrite Y).
    rewrite (sum_range_ext m (fun j => y j * v b j) (fun j => v a j * v b j)) by (intros; now rewrite Y).
    assert (E : squared_distance a b == squared_norm a + squared_norm b - 2 * Σ j ∈ range m, (v a j * v b j)).
    { unfold squared_distance.
      rewrite (sum_ext _ _ (fun j => v a j * v a j + (v b j * v b j + -(2) * (v a j * v b j)))) by (intros; ring).
      rewrite !sum_plus, sum_scale. unfold squared_norm. ring. }
    rewrite E. unfold squared_norm. field.
  Qed.
End Readout.

(** What an unembedding reads: the readout, or the sum of all blocks, or one block. *)

Lemma sum_readout S x (v : nat -> nat -> Q) a :
  times S x (fun c a => match c with Readout j => v a j | _ => 0 end) a
    == Σ j ∈ range (n_readout S), (x (Readout j) * v a j).
Proof.
  unfold times. rewrite sum_directions.
  rewrite (sum_range_0 (n_blocks S)) by (intros; apply sum_range_0; intros; ring).
  rewrite (sum_range_0 (n_key S) (fun i => x (Key i) * 0)), (sum_range_0 (n_key S) (fun i => x (Query i) * 0)),
    (sum_range_0 (n_relation S)), (sum_range_0 (n_asked S)), (sum_range_0 (n_position S)) by (intros; ring). ring.
Qed.

Lemma sum_each_block {A} S x (f : A -> nat -> nat -> Q) a :
  times S x (fun c a => match c with Block b j => f a b j | _ => 0 end) a
    == Σ b ∈ range (n_blocks S), Σ j ∈ range (word_length S), (x (Block b j) * f a b j).
Proof.
  unfold times. rewrite sum_directions.
  rewrite (sum_range_0 (n_key S) (fun i => x (Key i) * 0)), (sum_range_0 (n_key S) (fun i => x (Query i) * 0)),
    (sum_range_0 (n_readout S)),
    (sum_range_0 (n_relation S)), (sum_range_0 (n_asked S)), (sum_range_0 (n_position S)) by (intros; ring). ring.
Qed.

Lemma sum_blocks S x (v : nat -> nat -> Q) a :
  times S x (fun c a => match c with Block _ j => v a j | _ => 0 end) a
    == Σ j ∈ range (word_length S), ((Σ b ∈ range (n_blocks S), (x (Block b j))) * v a j).
Proof.
  rewrite (sum_each_block S x (fun a _ j => v a j)), sum_swap. apply sum_ext. intros j _.
  rewrite (sum_ext _ _ (fun b => v a j * x (Block b j))) by (intros; ring). rewrite sum_scale. ring.
Qed.

(** * The selector: an MLP that keeps the one block that was lifted in full *)

Definition block_neurons (B m : nat) : list (nat * nat) := list_prod (range B) (range m).

(** C1: neuron (b, j) is ReLU(x_{b,j} - (lift + lo)) and writes to readout j, whose bias is lo. *)
Definition select_separate (B m : nat) (lift lo : Q) : MLP :=
  mkMLP _ (block_neurons B m)
    (fun c n => if same c (Block (fst n) (snd n)) then 1 else 0)
    (fun _ => - (lift + lo))
    (fun n c => if same c (Readout (snd n)) then 1 else 0)
    (fun c => match c with Readout _ => lo | _ => 0 end).

(** C1': neuron (b, j) is ReLU(level - z), which added to z gives max(z, level). *)
Definition select_in_place (B m : nat) (lift level : Q) : MLP :=
  mkMLP _ (block_neurons B m)
    (fun c n => if same c (Block (fst n) (snd n)) then -(1) else 0)
    (fun _ => level)
    (fun n c => if same c (Block (fst n) (snd n)) then 1 else 0)
    (fun c => match c with Block b _ => if (b =? 0)%nat then - lift else - level | _ => 0 end).

(** What a block holds before the selector: the asked one a word, lifted to the level; every other at most that. *)
Definition lifted (B m : nat) (lift level : Q) (asked : nat) (word : nat -> Q) (x : vector) : Prop :=
  (asked < B)%nat /\
  (forall j, (j < m)%nat -> level <= word j + lift /\ x (Block asked j) == word j + lift) /\
  (forall b j, (b < B)%nat -> (j < m)%nat -> b <> asked -> x (Block b j) <= level).

Section Selector.
  Variables (S : space) (B : nat) (lift lo level : Q) (asked : nat) (word : nat -> Q) (x : vector).
  Let m := word_length S.
  Hypothesis within : (B <= n_blocks S)%nat.

  Lemma selects_separate j : lifted B m lift (lift + lo) asked word x ->
    (n_readout S = m)%nat -> (j < m)%nat -> x (Readout j) == 0 ->
    applied S (select_separate B m lift lo) x (Readout j) == word j.
  Proof.
    intros (A & On & Off) E J X. unfold applied. cbn [neuron neurons select_separate W_in W_out b_in b_out].
    unfold block_neurons. rewrite sum_pairs. cbn [fst snd].
    assert (N : forall b i, (b < B)%nat -> (i < m)%nat ->
      times S x (fun c n => if same c (Block (fst n) (snd n)) then 1 else 0) (b, i) == x (Block b i)).
    { intros b i Hb Hi. unfold times. cbn [fst snd]. rewrite read; [ring|]. cbn. fold m. lia. }
    rewrite (sum_range_one B asked), (sum_range_one m j); trivial.
    - rewrite N, same_refl by trivial. destruct (On j J) as [W ->]. rewrite X, relu_on; lra.
    - intros i Hi D. destruct (same_spec (Readout j) (Readout i)); [congruence|ring].
    - intros b Hb D. apply sum_range_0. intros i Hi. rewrite N by trivial.
      rewrite relu_off; [ring|]. specialize (Off b i Hb Hi D). lra.
  Qed.

  Lemma selects_in_place j : lifted B m lift level asked word x ->
    (j < m)%nat -> Σ b ∈ range B, (applied S (select_in_place B m lift level) x (Block b j)) == word j.
  Proof.
    intros (A & On & Off) J.
    transitivity (Σ b ∈ range B, ((if (b =? asked)%nat then word j + lift - level else 0)
                                  + (if (b =? 0)%nat then level - lift else 0))).
    - apply sum_range_ext. intros b Hb. unfold applied.
      cbn [neuron neurons select_in_place W_in W_out b_in b_out].
      assert (N : forall i, (i < m)%nat ->
        times S x (fun c n => if same c (Block (fst n) (snd n)) then -(1) else 0) (b, i) == - x (Block b i)).
      { intros i Hi. unfold times. cbn [fst snd]. rewrite read; [ring|]. cbn. fold m. lia. }
      unfold block_neurons. rewrite sum_pairs. cbn [fst snd].
      rewrite (sum_range_one B b), (sum_range_one m j); trivial.
      + rewrite N, same_refl by trivial. destruct (Nat.eqb_spec b asked) as [->|D].
        * destruct (On j J) as [W ->]. rewrite relu_off by lra. destruct (asked =? 0)%nat; lra.
        * specialize (Off b j Hb J D). rewrite relu_on by lra. destruct (b =? 0)%nat; lra.
      + intros i Hi D. destruct (same_spec (Block b j) (Block b i)); [congruence|ring].
      + intros b' Hb' D. apply sum_range_0. intros i Hi.
        destruct (same_spec (Block b j) (Block b' i)); [congruence|ring].
    - rewrite sum_plus, (sum_range_one B asked), (sum_range_one B 0); trivial; try lia.
      + rewrite !Nat.eqb_refl. lra.
      + intros i _ D. apply Nat.eqb_neq in D. now rewrite D.
      + intros i _ D. apply Nat.eqb_neq in D. now rewrite D.
  Qed.
End Selector.

(** * The constructions *)

Section SingleHop.
  Variables (N R m : nat) (pi : nat -> nat -> nat).
  Variables (v : nat -> nat -> Q) (lo hi gate level : Q) (bias : nat -> Q).
  Hypothesis code : forall a j, (j < m)%nat -> lo <= v a j <= hi.

  (** A subject's embedding: the direct sum of the words of its attributes. Relation r lifts block r. *)
  Definition superposition (lifts : nat -> nat -> Q) (token : nat) : vector := fun c =>
    match c with
    | Block b j => if (token <? N)%nat then v (pi b token) j else lifts (token - N)%nat b
    | _ => 0
    end.

  Definition one_block (r b : nat) : Q := if (r =? b)%nat then gate else 0.
  Definition query (s r : nat) : prompt := [(s, 0); (N + r, 1)]%nat.
  Definition read_readout (c : direction) (a : nat) : Q := match c with Readout j => v a j | _ => 0 end.
  Definition read_blocks (c : direction) (a : nat) : Q := match c with Block _ j => v a j | _ => 0 end.

  Definition one_layer (S : space) (lifts : nat -> nat -> Q) (f : MLP) (read : direction -> nat -> Q) : Transformer :=
    mkTransformer S (superposition lifts) (fun _ _ => 0) [mkLayer [uniform S] (Some f)] read bias.

  Definition separate : Transformer :=
    one_layer (Space R m m 0 0 0 0) one_block (select_separate R m (2 * gate) lo) read_readout.

  Definition in_place : Transformer :=
    one_layer (Space R m 0 0 0 0 0) one_block (select_in_place R m (2 * gate) level) read_blocks.

  (** x = W_E[s] + 2 W_E[r] after attention. *)
  Lemma superposed S lifts f read s r c : (s < N)%nat -> inside S c ->
    attended S [uniform S] (embedded (one_layer S lifts f read) (query s r)) 1 c
      == superposition lifts s c + 2 * superposition lifts (N + r) c.
  Proof. intros Hs I. rewrite attended_uniform by trivial. cbn. ring. Qed.

  Lemma asked_block S f read s r :
    word_length S = m -> n_blocks S = R -> (s < N)%nat -> (r < R)%nat -> forall level, hi <= level <= 2 * gate + lo ->
    lifted R m (2 * gate) level r (v (pi r s))
      (attended S [uniform S] (embedded (one_layer S one_block f read) (query s r)) 1).
  Proof.
    intros E E' Hs Hr l G. apply Nat.ltb_lt in Hs as Hs'.
    assert (Hq : (N + r <? N)%nat = false) by (apply Nat.ltb_ge; lia).
    split; [trivial|split].
    - intros j J. pose proof (code (pi r s) j J). split; [lra|]. rewrite superposed by (trivial; cbn; lia).
      cbn [superposition]. rewrite Hs', Hq. replace (N + r - N)%nat with r by lia. unfold one_block. rewrite Nat.eqb_refl. ring.
    - intros b j Hb J D. rewrite superposed by (trivial; cbn; lia).
      cbn [superposition]. rewrite Hs', Hq. replace (N + r - N)%nat with r by lia. unfold one_block.
      destruct (Nat.eqb_spec r b); [congruence|]. pose proof (code (pi b s) j J). lra.
  Qed.

  Lemma residual_one S lifts f read p t :
    residual (one_layer S lifts f read) p t
      = applied S f (attended S [uniform S] (embedded (one_layer S lifts f read) p) t).
  Proof. reflexivity. Qed.

  (** ** C1, separate readout: d_model = (R+1) m, width R m *)

  Theorem single_hop s r b :
    (s < N)%nat -> (r < R)%nat -> hi - lo <= 2 * gate -> nearest m v bias ->
    logit separate (query s r) (pi r s) - logit separate (query s r) b == squared_distance m v (pi r s) b / 2.
  Proof.
    intros Hs Hr G B. unfold separate, logit. rewrite residual_one.
    set (x := applied _ _ _). cbn [one_layer stream W_U b_U].
    rewrite !(sum_readout _ x v) by trivial. apply nearest_neighbour; trivial.
    intros j J. apply (selects_separate (Space R m m 0 0 0 0) R (2 * gate) lo r); trivial.
    - apply asked_block; trivial. lra.
    - rewrite superposed by (trivial; cbn; lia). cbn. ring.
  Qed.

  (** ** C1', in place: d_model = width = R m, for every level of the neurons between hi and 2 gate + lo *)

  Theorem single_hop_in_place s r b :
    (s < N)%nat -> (r < R)%nat -> hi <= level <= 2 * gate + lo -> nearest m v bias ->
    logit in_place (query s r) (pi r s) - logit in_place (query s r) b == squared_distance m v (pi r s) b / 2.
  Proof.
    intros Hs Hr G B. unfold in_place, logit. rewrite residual_one.
    set (x := applied _ _ _). cbn [one_layer stream W_U b_U].
    rewrite !(sum_blocks _ x v) by trivial. apply nearest_neighbour; trivial.
    intros j J. apply (selects_in_place (Space R m 0 0 0 0 0) R (2 * gate) level r); trivial.
    now apply asked_block.
  Qed.

  (** ** C1'', narrow: the last block doubles as the readout, d_model = R m, width (R-1) m *)

  Definition last_block (c : direction) (a : nat) : Q :=
    match c with Block b j => if (b =? R - 1)%nat then v a j else 0 | _ => 0 end.

  Lemma sum_last_block S x a : (0 < R)%nat -> n_blocks S = R -> word_length S = m ->
    times S x last_block a == Σ j ∈ range m, (x (Block (R - 1) j) * v a j).
  Proof.
    intros P E E'. unfold last_block. rewrite (sum_each_block S x (fun a b j => if (b =? R - 1)%nat then v a j else 0)).
    rewrite E, E', (sum_range_one R (R - 1)), Nat.eqb_refl by (try lia; intros; apply sum_range_0; intros;
      rewrite (proj2 (Nat.eqb_neq _ _)) by trivial; ring). reflexivity.
  Qed.

  Definition narrow_lifts (r b : nat) : Q :=
    if (r =? b)%nat then if (b =? R - 1)%nat then (1 # 2) * (2 * gate - (hi - lo)) else gate else 0.

  Definition select_narrow : MLP :=
    mkMLP _ (block_neurons (R - 1) m)
      (fun c n => (if same c (Block (fst n) (snd n)) then 1 else 0)
                  + (if same c (Block (R - 1) (snd n)) then -(1) else 0))
      (fun _ => - (hi - lo))
      (fun n c => if same c (Block (R - 1) (snd n)) then 1 else 0)
      (fun c => match c with Block b _ => if (b =? R - 1)%nat then hi - lo - 2 * gate else 0 | _ => 0 end).

  Definition narrow : Transformer := one_layer (Space R m 0 0 0 0 0) narrow_lifts select_narrow last_block.

  Theorem single_hop_narrow s r b :
    (s < N)%nat -> (r < R)%nat -> hi - lo <= gate -> nearest m v bias ->
    logit narrow (query s r) (pi r s) - logit narrow (query s r) b == squared_distance m v (pi r s) b / 2.
  Proof.
    intros Hs Hr G B. unfold narrow, logit. rewrite residual_one.
    set (x := attended _ _ _ _). cbn [one_layer stream W_U b_U].
    rewrite !sum_last_block by (cbn; lia). apply nearest_neighbour; trivial.
    assert (X : forall b j, (b < R)%nat -> (j < m)%nat -> x (Block b j) == v (pi b s) j + 2 * narrow_lifts r b).
    { intros b' j Hb J. unfold x. rewrite superposed by (trivial; cbn; lia). cbn [superposition].
      apply Nat.ltb_lt in Hs as ->. rewrite (proj2 (Nat.ltb_ge (N + r) N)) by lia.
      now replace (N + r - N)%nat with r by lia. }
    intros j J. unfold applied. cbn [neuron neurons select_narrow W_in W_out b_in b_out].
    unfold block_neurons. rewrite sum_pairs, Nat.eqb_refl. cbn [fst snd].
    assert (A : forall b i, (b < R - 1)%nat -> (i < m)%nat ->
      times (Space R m 0 0 0 0 0) x (fun c n => (if same c (Block (fst n) (snd n)) then 1 else 0)
        + (if same c (Block (R - 1) (snd n)) then -(1) else 0)) (b, i) == x (Block b i) - x (Block (R - 1) i)).
    { intros b' i Hb Hi. unfold times. cbn [fst snd].
      rewrite (sum_ext _ _ (fun c => x c * (if same c (Block b' i) then 1 else 0)
                                     + x c * (if same c (Block (R - 1) i) then -(1) else 0))) by (intros; ring).
      rewrite sum_plus, !read by (cbn; lia). ring. }
    assert (I : forall b', (b' < R - 1)%nat -> Σ i ∈ range m,
      (relu (times (Space R m 0 0 0 0 0) x (fun c n => (if same c (Block (fst n) (snd n)) then 1 else 0)
        + (if same c (Block (R - 1) (snd n)) then -(1) else 0)) (b', i) + - (hi - lo))
       * (if same (Block (R - 1) j) (Block (R - 1) i) then 1 else 0))
      == relu (x (Block b' j) - x (Block (R - 1) j) + - (hi - lo))).
    { intros b' Hb. rewrite (sum_range_one m j); trivial.
      - rewrite A, same_refl by trivial. ring.
      - intros i Hi D. destruct (same_spec (Block (R - 1) j) (Block (R - 1) i)); [congruence|ring]. }
    rewrite (sum_range_ext (R - 1) _ _ I).
    assert (C : forall b, lo <= v b j <= hi) by (intro; now apply code).
    destruct (Nat.eq_dec r (R - 1)) as [->|D].
    - rewrite (sum_range_0 (R - 1)).
      + rewrite X by (trivial; lia). unfold narrow_lifts. rewrite !Nat.eqb_refl. field.
      + intros b' Hb. rewrite !X by (trivial; lia). unfold narrow_lifts.
        rewrite !Nat.eqb_refl, (proj2 (Nat.eqb_neq (R - 1) b')) by lia.
        pose proof (C (pi b' s)). pose proof (C (pi (R - 1) s)). apply relu_off. lra.
    - assert (D' : (r =? R - 1)%nat = false) by now apply Nat.eqb_neq.
      pose proof (C (pi (R - 1) s)). rewrite (sum_range_one (R - 1) r); [|lia|].
      + rewrite !X by (trivial; lia). unfold narrow_lifts. rewrite D', Nat.eqb_refl.
        pose proof (C (pi r s)). rewrite relu_on; lra.
      + intros b' Hb Ne. rewrite !X by (trivial; lia). unfold narrow_lifts.
        rewrite D', (proj2 (Nat.eqb_neq r b')) by lia. pose proof (C (pi b' s)). apply relu_off. lra.
  Qed.

  (** ** C1-w, packed: one neuron gates several coordinates, with any weights >= 0 *)

  Section Packed.
    Variables (groups : nat) (weight : nat -> nat -> Q).  (* of coordinate j in group i *)
    Hypothesis positive : forall j i, 0 <= weight j i.

    Definition packed_word (a i : nat) : Q := Σ j ∈ range m, (weight j i * v a j).
    Definition scale (i : nat) : Q := Σ j ∈ range m, (weight j i).
    Definition read_packed (c : direction) (a : nat) : Q := match c with Readout i => packed_word a i | _ => 0 end.

    Definition select_packed : MLP :=
      mkMLP _ (list_prod (range R) (range groups))
        (fun c n => match c with Block b j => if (b =? fst n)%nat then weight j (snd n) else 0 | _ => 0 end)
        (fun n => - (scale (snd n) * (2 * gate + lo)))
        (fun n c => if same c (Readout (snd n)) then 1 else 0)
        (fun c => match c with Readout i => scale i * lo | _ => 0 end).

    Definition packed : Transformer := one_layer (Space R m groups 0 0 0 0) one_block select_packed read_packed.

    Theorem single_hop_packed s r b :
      (s < N)%nat -> (r < R)%nat -> hi - lo <= 2 * gate -> nearest groups packed_word bias ->
      logit packed (query s r) (pi r s) - logit packed (query s r) b
        == squared_distance groups packed_word (pi r s) b / 2.
    Proof.
      intros Hs Hr G B. unfold packed, logit. rewrite residual_one.
      destruct (asked_block (Space R m groups 0 0 0 0) select_packed read_packed s r) with (level := 2 * gate + lo)
        as (_ & On & Off); trivial; [lra|].
      set (S := Space R m groups 0 0 0 0) in *. set (x := attended _ _ _ _) in *. cbn [one_layer stream W_U b_U].
      rewrite !(sum_readout _ (applied S select_packed x) packed_word) by trivial.
      apply nearest_neighbour; trivial. intros i I. unfold applied.
      cbn [neuron neurons select_packed W_in W_out b_in b_out]. rewrite sum_pairs. cbn [fst snd].
      set (W := fun c (n : nat * nat) =>
        match c with Block b j => if (b =? fst n)%nat then weight j (snd n) else 0 | _ => 0 end).
      assert (A : forall b i, (b < R)%nat -> times S x W (b, i) == Σ j ∈ range m, (x (Block b j) * weight j i)).
      { intros b' i' Hb. unfold W. rewrite (sum_each_block S x (fun n b j => if (b =? fst n)%nat then weight j (snd n) else 0)).
        cbn [S n_blocks word_length]. rewrite (sum_range_one R b'), Nat.eqb_refl; trivial; [reflexivity|].
        intros c Hc D. apply sum_range_0. intros j J. cbn [fst]. rewrite (proj2 (Nat.eqb_neq c b') D). ring. }
      assert (K : forall b', Σ j ∈ range m, (weight j i * b') == scale i * b').
      { intro b'. unfold scale. rewrite (sum_ext _ _ (fun j => b' * weight j i)) by (intros; ring).
        rewrite sum_scale. ring. }
      rewrite (sum_range_one R r), (sum_range_one groups i); trivial.
      - rewrite A, same_refl by trivial.
        rewrite (sum_range_ext m _ (fun j => weight j i * v (pi r s) j + weight j i * (2 * gate)))
          by (intros j J; rewrite (proj2 (On j J)); ring).
        rewrite sum_plus, K. fold (packed_word (pi r s) i).
        assert (scale i * lo <= packed_word (pi r s) i).
        { rewrite <- K. apply sum_le. intros j J. apply in_range in J.
          pose proof (positive j i). pose proof (code (pi r s) j J). nra. }
        unfold x at 1. rewrite superposed by (trivial; cbn; lia). cbn [superposition].
        rewrite relu_on; lra.
      - intros i' Hi D. destruct (same_spec (Readout i) (Readout i')); [congruence|ring].
      - intros b' Hb D. apply sum_range_0. intros i' Hi. rewrite A by trivial.
        destruct (same_spec (Readout i) (Readout i')) as [[= <-]|]; [|ring].
        rewrite relu_off; [ring|]. rewrite <- K.
        enough (Σ j ∈ range m, (x (Block b' j) * weight j i) <= Σ j ∈ range m, (weight j i * (2 * gate + lo))) by lra.
        apply sum_le. intros j J. apply in_range in J. pose proof (positive j i). specialize (Off b' j Hb J D). nra.
    Qed.
  End Packed.
End SingleHop.

(** * Words that differ are apart: what the exact margin is at least *)

Definition signs (m : nat) (v : nat -> nat -> Q) : Prop :=
  forall a j, (j < m)%nat -> v a j == 1 \/ v a j == -(1).

Definition distance (m : nat) (v : nat -> nat -> Q) (a b : nat) : nat :=
  length (filter (fun j => negb (Qeq_bool (v a j) (v b j))) (range m)).

Lemma signs_squared_distance m v a b :
  signs m v -> squared_distance m v a b == 4 * inject_Z (Z.of_nat (distance m v a b)).
Proof.
  intro U. unfold squared_distance, distance.
  assert (H : forall j, In j (range m) -> v a j == 1 \/ v a j == -(1)) by (intros; apply U; now apply in_range).
  assert (H' : forall j, In j (range m) -> v b j == 1 \/ v b j == -(1)) by (intros; apply U; now apply in_range).
  revert H H'. generalize (range m). intro l. induction l as [|j l IH]; intros H H'; [reflexivity|].
  rewrite sum_cons, (IH (fun j I => H j (or_intror I)) (fun j I => H' j (or_intror I))). cbn [filter].
  destruct (Qeq_bool (v a j) (v b j)) eqn:E; cbn [negb length].
  - apply Qeq_bool_iff in E. rewrite E. ring.
  - apply Qeq_bool_neq in E. rewrite Nat2Z.inj_succ, <- Z.add_1_l, inject_Z_plus. change (inject_Z 1) with 1.
    destruct (H j (or_introl eq_refl)) as [A|A], (H' j (or_introl eq_refl)) as [A'|A']; rewrite A, A' in E |- *;
      try (exfalso; now apply E); ring.
Qed.

(** Words whose coordinates differ by multiples of g, and that differ, are g apart: 1 for whole numbers, 2 for signs
    and their sums with weights 1, 2, 4, ... So the margin is at least 1/2 and 2. *)
Lemma words_apart m v (g : Z) a b :
  (forall j, (j < m)%nat -> exists z, v a j - v b j == inject_Z (g * z)) ->
  (exists j, (j < m)%nat /\ ~ v a j == v b j) -> inject_Z (g * g) <= squared_distance m v a b.
Proof.
  intros G (j & J & D). destruct (G j J) as (z & E).
  apply Qle_trans with ((v a j - v b j) * (v a j - v b j)).
  - rewrite E, <- inject_Z_mult, <- Zle_Qle. assert (z <> 0)%Z.
    2: { replace (g * z * (g * z))%Z with (g * g * (z * z))%Z by ring. rewrite <- (Z.mul_1_r (g * g)) at 1.
         apply Z.mul_le_mono_nonneg_l; nia. }
    intros ->. apply D. rewrite Z.mul_0_r in E. change (inject_Z 0) with 0 in E. lra.
  - apply (sum_at_least _ (fun j => (v a j - v b j) * (v a j - v b j))); [now apply in_range|].
    intros i _. set (d := v a i - v b i). nra.
Qed.
