(** C3: chain of thought answers any number of hops with one layer.

    The prompt [r_1, ..., r_k, s] is continued with the entities that the model itself answers. Relation t
    stands at position t - 1, the t-th entity at position K + t - 1. *)

From Georecall Require Import transformer single_hop.

(** * The induction certificate, for any weights: single steps prove all chains *)

Section Induction.
  Variables (M : Transformer) (h : Head) (f : MLP) (N R K : nat) (pi : nat -> nat -> nat).
  Let S := stream M.

  Definition seen (t i : nat) : Q :=
    Σ a ∈ (scored h), (times S (W_pos M t) (W_Q h) a * times S (W_pos M i) (W_K h) a).

  Record certificate : Prop := {
    shape : layers M = [mkLayer [h] (Some f)];
    tokens_score_nothing : forall token a, In a (scored h) ->
      times S (W_E M token) (W_Q h) a == 0 /\ times S (W_E M token) (W_K h) a == 0;
    relation_first : forall i j, (i < K)%nat -> (j < K)%nat ->
      (j <> i -> seen (K + i) j < seen (K + i) i) /\ seen (K + i) (K + j) < seen (K + i) i;
    positions_unread : forall i, (i < K)%nat ->
      (forall a, In a (carried h) -> times S (W_pos M i) (W_V h) a == 0) /\
      (forall n, In n (neurons f) -> times S (W_pos M (K + i)) (W_in f) n == 0) /\
      (forall b, times S (W_pos M (K + i)) (W_U M) b == 0) }.

  (** The residual of entity e asked for relation r, positions aside, and the logits that it gives. *)
  Definition single (e r : nat) : vector := fun c =>
    W_E M e c + Σ a ∈ (carried h), (times S (W_E M (N + r)) (W_V h) a * W_O h a c).
  Definition one_hop (e r a : nat) : Q := times S (applied S f (single e r)) (W_U M) a + b_U M a.

  (** Step i of k: the relations, then the entities e_0 .. e_i. *)
  Definition step (k : nat) (rs es : nat -> nat) (i : nat) : prompt :=
    map (fun t => (N + rs t, t)%nat) (range k) ++ map (fun t => (es t, K + t)%nat) (range (i + 1)).

  Lemma step_length k rs es i : length (step k rs es i) = (k + i + 1)%nat.
  Proof. unfold step, range. rewrite app_length, !map_length, !seq_length. lia. Qed.

  Lemma step_relation k rs es i j : (j < k)%nat -> nth j (step k rs es i) (0, 0)%nat = (N + rs j, j)%nat.
  Proof.
    intro J. unfold step. rewrite app_nth1 by (unfold range; now rewrite map_length, seq_length).
    rewrite (nth_indep _ _ (N + rs 0, 0)%nat) by (unfold range; now rewrite map_length, seq_length).
    rewrite (map_nth (fun t => (N + rs t, t)%nat)). unfold range. now rewrite seq_nth.
  Qed.

  Lemma step_entity k rs es i j : (j <= i)%nat -> nth (k + j) (step k rs es i) (0, 0)%nat = (es j, K + j)%nat.
  Proof.
    intro J. unfold step, range. rewrite app_nth2; rewrite map_length, seq_length; [|lia].
    replace (k + j - k)%nat with j by lia.
    rewrite (nth_indep _ _ (es 0, K + 0)%nat) by (rewrite map_length, seq_length; lia).
    rewrite (map_nth (fun t => (es t, K + t)%nat)). rewrite seq_nth; [reflexivity|lia].
  Qed.

  Hypothesis C : certificate.

  Lemma step_score k rs es i j : (k <= K)%nat -> (i < k)%nat -> (j <= k + i)%nat ->
    score S h (embedded M (step k rs es i)) (k + i) j
      == seen (K + i) (if (j <? k)%nat then j else K + (j - k))%nat.
  Proof.
    intros Hk Hi J. unfold score, seen. apply sum_ext. intros a Ia.
    assert (E : forall token t, times S (fun c => W_E M token c + W_pos M t c) (W_Q h) a == times S (W_pos M t) (W_Q h) a
      /\ times S (fun c => W_E M token c + W_pos M t c) (W_K h) a == times S (W_pos M t) (W_K h) a).
    { intros token t. rewrite !times_plus. destruct (tokens_score_nothing C token a Ia) as [-> ->]. split; ring. }
    unfold embedded at 1. rewrite step_entity by lia. rewrite (proj1 (E _ _)).
    unfold embedded. destruct (Nat.ltb_spec j k).
    - rewrite step_relation by trivial. now rewrite (proj2 (E _ _)).
    - replace j with (k + (j - k))%nat at 1 by lia. rewrite step_entity by lia. now rewrite (proj2 (E _ _)).
  Qed.

  (** What is said at step i depends on the current entity and relation alone. *)
  Theorem step_is_one_hop k rs es i a : (k <= K)%nat -> (i < k)%nat ->
    logit M (step k rs es i) a == one_hop (es i) (rs i) a.
  Proof.
    intros Hk Hi. unfold logit, one_hop. rewrite step_length. replace (k + i + 1 - 1)%nat with (k + i)%nat by lia.
    apply Qplus_comp; [|reflexivity]. fold S. destruct (positions_unread C i) as (_ & Hn & Un); [lia|].
    assert (H : forall c, residual M (step k rs es i) (k + i) c
      == applied S f (single (es i) (rs i)) c + W_pos M (K + i) c).
    { intro c. unfold residual. rewrite (shape C). cbn [fold_left run heads mlp]. fold S.
      assert (X : forall c, attended S [h] (embedded M (step k rs es i)) (k + i) c
        == single (es i) (rs i) c + W_pos M (K + i) c).
      { clear c. intro c. unfold attended. rewrite sum_cons. cbn [sum]. unfold attend.
        set (x := embedded M (step k rs es i)).
        assert (V : forall a, In a (carried h) -> Σ j ∈ range (k + i + 1), (hard (score S h x (k + i)) (k + i) j * times S (x j) (W_V h) a)
          == times S (W_E M (N + rs i)) (W_V h) a).
        { intros b Ib. rewrite (hard_reads _ _ i); [|lia|].
          - unfold x, embedded. rewrite step_relation by trivial. rewrite times_plus.
            destruct (positions_unread C i) as (V & _); [lia|]. rewrite V by trivial. ring.
          - intros j J D. unfold x. rewrite !step_score by lia. rewrite (proj2 (Nat.ltb_lt i k) Hi).
            destruct (Nat.ltb_spec j k).
            + now apply (relation_first C); try lia.
            + apply (relation_first C i (j - k)); lia. }
        rewrite (sum_ext _ _ (fun b => times S (W_E M (N + rs i)) (W_V h) b * W_O h b c)) by (intros b Ib; now rewrite V).
        unfold single, x, embedded. rewrite step_entity by lia. ring. }
      rewrite (applied_ext S f _ _ c X). unfold applied.
      rewrite (sum_ext _ _ (fun n => relu (times S (single (es i) (rs i)) (W_in f) n + b_in f n) * W_out f n c)).
      - ring.
      - intros n I. rewrite times_plus, (Hn n I). apply Qmult_comp; [|reflexivity]. apply relu_proper. ring. }
    rewrite (times_ext S _ _ (W_U M) a H), times_plus, Un. ring.
  Qed.

  (** ** All chains of at most K hops *)

  Fixpoint chain (rs : nat -> nat) (s t : nat) : nat :=
    match t with O => s | Datatypes.S t => pi (rs t) (chain rs s t) end.

  (** The model's own words: each entity is one of those with the largest logit. *)
  Definition generated (k : nat) (rs es : nat -> nat) : Prop :=
    forall i, (i < k)%nat -> (es (i + 1) < N)%nat /\
      forall b, (b < N)%nat -> logit M (step k rs es i) b <= logit M (step k rs es i) (es (i + 1)%nat).

  Hypothesis facts : forall e r, (e < N)%nat -> (r < R)%nat -> (pi r e < N)%nat.
  Hypothesis steps : forall e r b, (e < N)%nat -> (r < R)%nat -> (b < N)%nat -> b <> pi r e ->
    one_hop e r b < one_hop e r (pi r e).

  (** N R single steps and the scores of the positions prove all N R^k chains, for every k <= K. *)
  Theorem all_chains k rs es s :
    (k <= K)%nat -> (forall t, (t < k)%nat -> (rs t < R)%nat) -> (s < N)%nat -> es 0%nat = s ->
    generated k rs es -> forall i, (i <= k)%nat -> es i = chain rs s i.
  Proof.
    intros Hk Hr Hs E G i. enough (H : (i <= k)%nat -> (es i < N)%nat /\ es i = chain rs s i) by (intro I; now apply H).
    induction i as [|i IH]; intro I; [subst; auto|]. destruct IH as [L IH]; [lia|].
    destruct (G i) as [L' B]; [lia|]. rewrite Nat.add_1_r in L', B. split; trivial. cbn [chain]. rewrite <- IH.
    destruct (Nat.eq_dec (es (Datatypes.S i)) (pi (rs i) (es i))) as [|D]; trivial. exfalso.
    specialize (B (pi (rs i) (es i)) (facts _ _ L (Hr i I))).
    rewrite !step_is_one_hop in B by lia. specialize (steps _ _ _ L (Hr i I) L' D). lra.
  Qed.

  (** And they are said: at every step of a true chain its next entity is the one largest. *)
  Theorem chains_are_said k rs s i :
    (k <= K)%nat -> (forall t, (t < k)%nat -> (rs t < R)%nat) -> (s < N)%nat -> (i < k)%nat ->
    answers M N (step k rs (chain rs s) i) (chain rs s (i + 1)).
  Proof.
    intros Hk Hr Hs Hi b Hb D. rewrite Nat.add_1_r in *. cbn [chain] in *. rewrite !step_is_one_hop by trivial.
    apply steps; trivial; [|now apply Hr]. clear Hb D. induction i as [|i IH]; [trivial|]. cbn [chain].
    apply facts; [apply IH; lia|apply Hr; lia].
  Qed.
End Induction.

(** * The construction *)

Section Construction.
  Variables (N R m K q : nat) (pi : nat -> nat -> nat).
  Variables (v : nat -> nat -> Q) (lo hi gate beta : Q) (bias : nat -> Q) (p : nat -> nat -> Q).
  Hypothesis code : forall a j, (j < m)%nat -> lo <= v a j <= hi.
  Hypothesis gate_high : hi - lo <= 2 * gate.
  Hypothesis unbiased : nearest m v bias.
  Hypothesis position_code : signs q p.
  Hypothesis positions_differ : forall i j, (i < K)%nat -> (j < K)%nat -> i <> j -> 0 < squared_distance q p i j.
  Hypothesis some_position : (0 < q)%nat.
  Hypothesis beta_positive : 0 < beta.

  Definition position (t : nat) : vector := fun c =>
    match c with
    | Key i => if (t <? K)%nat then p t i else 0
    | Query i => if (t <? K)%nat then 0 else p (t - K)%nat i
    | _ => 0
    end.

  Definition reading : Head :=
    mkHead (range q)
      (fun c a => if same c (Query a) then beta else 0) (fun c a => if same c (Key a) then 1 else 0)
      (map (fun n => Block (fst n) (snd n)) (block_neurons R m))
      (fun c a => if same c a then 1 else 0) (fun a c => if same a c then 2 else 0).

  Definition step_by_step (readout : nat) (f : MLP) (U : direction -> nat -> Q) : Transformer :=
    mkTransformer (Space R m readout q 0 0 0) (superposition N pi v (one_block gate)) position
      [mkLayer [reading] (Some f)] U bias.

  Definition in_place_steps := step_by_step 0 (select_in_place R m (2 * gate) (2 * gate + lo)) (read_blocks v).
  Definition separate_steps := step_by_step m (select_separate R m (2 * gate) lo) (read_readout v).

  Lemma in_blocks b j : In (Block b j) (map (fun n => Block (fst n) (snd n)) (block_neurons R m))
    <-> (b < R)%nat /\ (j < m)%nat.
  Proof.
    rewrite in_map_iff. unfold block_neurons. split.
    - intros ((b', j') & [= <- <-] & I). apply in_prod_iff in I. now rewrite !in_range in I.
    - intro I. exists (b, j). split; trivial. apply in_prod_iff. now rewrite !in_range.
  Qed.

  Lemma certified readout f U :
    (forall x n, (forall b j, x (Block b j) == 0) -> In n (neurons f) ->
      times (Space R m readout q 0 0 0) x (W_in f) n == 0) ->
    (forall x b, (forall b j, x (Block b j) == 0) -> (forall j, x (Readout j) == 0) ->
      times (Space R m readout q 0 0 0) x U b == 0) ->
    certificate (step_by_step readout f U) reading f K.
  Proof.
    intros Hf HU.
    assert (T : forall x a, In a (range q) -> times (Space R m readout q 0 0 0) x (W_Q reading) a == x (Query a) * beta
      /\ times (Space R m readout q 0 0 0) x (W_K reading) a == x (Key a) * 1).
    { intros x a I. apply in_range in I. split; apply read; trivial. }
    assert (D : forall i j, Σ a ∈ range q, (p i a * p i a) == Σ a ∈ range q, (p i a * p j a)
      + squared_distance q p i j * (1 # 2)).
    { intros i j. unfold squared_distance.
      rewrite (sum_ext _ (fun a => p i a * p i a) (fun a => p i a * p j a + (1 # 2) * ((p i a - p j a) * (p i a - p j a)))).
      - rewrite sum_plus, sum_scale. ring.
      - intros a I. apply in_range in I.
        destruct (position_code i a I) as [->| ->], (position_code j a I) as [->| ->]; ring. }
    assert (P : forall i, 0 < Σ a ∈ range q, (p i a * p i a)).
    { intro i. apply (sum_positive _ _ 0%nat); [now apply in_range| |].
      - intros a _. nra.
      - destruct (position_code i 0%nat some_position) as [->| ->]; reflexivity. }
    assert (E : forall i j, (i < K)%nat -> (j < K)%nat ->
      seen (step_by_step readout f U) reading (K + i) j == beta * (Σ a ∈ range q, (p i a * p j a))
      /\ seen (step_by_step readout f U) reading (K + i) (K + j) == 0).
    { intros i j Hi Hj. unfold seen. cbn [stream step_by_step W_pos scored reading]. split.
      - rewrite <- sum_scale. apply sum_ext. intros a I. rewrite (proj1 (T _ a I)), (proj2 (T _ a I)). cbn [position].
        rewrite (proj2 (Nat.ltb_ge (K + i) K)), (proj2 (Nat.ltb_lt j K)) by lia.
        replace (K + i - K)%nat with i by lia. ring.
      - apply sum_0. intros a I. rewrite (proj2 (T _ a I)). cbn [position].
        rewrite (proj2 (Nat.ltb_ge (K + j) K)) by lia. ring. }
    constructor.
    - reflexivity.
    - intros token a I. cbn [scored reading] in I. cbn [stream step_by_step W_E].
      rewrite (proj1 (T _ a I)), (proj2 (T _ a I)). split; cbn; ring.
    - intros i j Hi Hj. rewrite (proj1 (E i j Hi Hj)), (proj1 (E i i Hi Hi)), (proj2 (E i j Hi Hj)).
      pose proof (P i). split; [|nra]. intro Ne. specialize (D i j).
      pose proof (positions_differ i j Hi Hj (not_eq_sym Ne)). apply Qmult_lt_l; lra.
    - intros i Hi. repeat split.
      + intros a I. cbn [carried reading] in I. apply in_map_iff in I as ((b & j) & <- & I).
        apply in_prod_iff in I. rewrite !in_range in I. cbn [stream step_by_step W_pos]. 
        transitivity (position i (Block b j) * 1); [now apply read|]. cbn. ring.
      + intros n I. apply Hf; trivial. reflexivity.
      + intro b. apply HU; reflexivity.
  Qed.

  Lemma in_place_certified : certificate in_place_steps reading (select_in_place R m (2 * gate) (2 * gate + lo)) K.
  Proof.
    apply certified.
    - intros x (b & j) X I. apply in_prod_iff in I. rewrite !in_range in I.
      transitivity (x (Block b j) * -(1)); [now apply read|rewrite X; ring].
    - intros x b X _. unfold read_blocks. rewrite (sum_each_block _ x (fun a _ j => v a j)).
      apply sum_0. intros. apply sum_0. intros. rewrite X. ring.
  Qed.

  Lemma separate_certified : certificate separate_steps reading (select_separate R m (2 * gate) lo) K.
  Proof.
    apply certified.
    - intros x (b & j) X I. apply in_prod_iff in I. rewrite !in_range in I.
      transitivity (x (Block b j) * 1); [now apply read|rewrite X; ring].
    - intros x b _ X. unfold read_readout. rewrite (sum_readout _ x v). apply sum_0. intros. rewrite X. ring.
  Qed.

  (** The residual of a single step: block r of the entity lifted by 2 gate. *)
  Lemma single_block readout f U e r b j :
    (e < N)%nat -> (b < R)%nat -> (j < m)%nat ->
    single (step_by_step readout f U) reading N e r (Block b j) == v (pi b e) j + 2 * one_block gate r b.
  Proof.
    intros He Hb J. unfold single. cbn [W_E step_by_step carried reading W_O].
    rewrite (sum_one (Block b j)).
    - rewrite same_refl. cbn [stream]. rewrite <- (Qmult_1_r (one_block gate r b)).
      apply Nat.ltb_lt in He as He'. cbn [superposition]. rewrite He'. apply Qplus_comp; [reflexivity|].
      rewrite Qmult_comm. apply Qmult_comp; [reflexivity|].
      transitivity (superposition N pi v (one_block gate) (N + r) (Block b j) * 1); [apply read; cbn; lia|].
      cbn [superposition]. rewrite (proj2 (Nat.ltb_ge (N + r) N)) by lia. now replace (N + r - N)%nat with r by lia.
    - apply FinFun.Injective_map_NoDup; [now intros [? ?] [? ?] [= -> ->]|].
      apply NoDup_list_prod; apply seq_NoDup.
    - now apply in_blocks.
    - intros d _ Ne. destruct (same_spec d (Block b j)); [contradiction|ring].
  Qed.

  Lemma single_asked readout f U e r : (e < N)%nat -> (r < R)%nat ->
    lifted R m (2 * gate) (2 * gate + lo) r (v (pi r e)) (single (step_by_step readout f U) reading N e r).
  Proof.
    intros He Hr. split; [trivial|split].
    - intros j J. pose proof (code (pi r e) j J). split; [lra|]. rewrite single_block by trivial. unfold one_block. rewrite Nat.eqb_refl. ring.
    - intros b j Hb J D. rewrite single_block by trivial. unfold one_block.
      rewrite (proj2 (Nat.eqb_neq r b)) by congruence. pose proof (code (pi b e) j J). lra.
  Qed.

  Lemma single_off readout f U e r c : (forall b j, c <> Block b j) ->
    single (step_by_step readout f U) reading N e r c == 0.
  Proof.
    intro D. unfold single. cbn [W_E step_by_step carried reading W_O].
    rewrite sum_0; [destruct c; cbn; try ring; exfalso; eapply D; reflexivity|].
    intros d I. apply in_map_iff in I as ((b & j) & <- & _). destruct (same_spec (Block (fst (b, j)) (snd (b, j))) c) as [<-|].
    - exfalso. now apply (D b j).
    - ring.
  Qed.

  (** ** Every step of every chain has margins of half the squared distance, in place and with a readout *)

  Lemma one_hop_in_place e r b : (e < N)%nat -> (r < R)%nat ->
    one_hop in_place_steps reading (select_in_place R m (2 * gate) (2 * gate + lo)) N e r (pi r e)
      - one_hop in_place_steps reading (select_in_place R m (2 * gate) (2 * gate + lo)) N e r b
      == squared_distance m v (pi r e) b / 2.
  Proof.
    intros He Hr. unfold one_hop. cbn [stream in_place_steps step_by_step W_U b_U]. unfold read_blocks.
    rewrite !(sum_blocks _ _ v). apply nearest_neighbour; trivial.
    intros j J. apply (selects_in_place (Space R m 0 q 0 0 0) R (2 * gate) (2 * gate + lo) r); trivial. now apply single_asked.
  Qed.

  Lemma one_hop_separate e r b : (e < N)%nat -> (r < R)%nat ->
    one_hop separate_steps reading (select_separate R m (2 * gate) lo) N e r (pi r e)
      - one_hop separate_steps reading (select_separate R m (2 * gate) lo) N e r b
      == squared_distance m v (pi r e) b / 2.
  Proof.
    intros He Hr. unfold one_hop. cbn [stream separate_steps step_by_step W_U b_U]. unfold read_readout.
    rewrite !(sum_readout _ _ v). apply nearest_neighbour; trivial.
    intros j J. apply (selects_separate (Space R m m q 0 0 0) R (2 * gate) lo r); trivial.
    - now apply single_asked.
    - now apply single_off.
  Qed.

  Theorem chain_of_thought_in_place k rs es i b :
    (k <= K)%nat -> (i < k)%nat -> (es i < N)%nat -> (rs i < R)%nat ->
    logit in_place_steps (step N K k rs es i) (pi (rs i) (es i)) - logit in_place_steps (step N K k rs es i) b
      == squared_distance m v (pi (rs i) (es i)) b / 2.
  Proof.
    intros Hk Hi He Hr.
    rewrite !(step_is_one_hop _ reading (select_in_place R m (2 * gate) (2 * gate + lo)) N K) by (trivial; apply in_place_certified).
    now apply one_hop_in_place.
  Qed.

  Theorem chain_of_thought_separate k rs es i b :
    (k <= K)%nat -> (i < k)%nat -> (es i < N)%nat -> (rs i < R)%nat ->
    logit separate_steps (step N K k rs es i) (pi (rs i) (es i)) - logit separate_steps (step N K k rs es i) b
      == squared_distance m v (pi (rs i) (es i)) b / 2.
  Proof.
    intros Hk Hi He Hr.
    rewrite !(step_is_one_hop _ reading (select_separate R m (2 * gate) lo) N K) by (trivial; apply separate_certified).
    now apply one_hop_separate.
  Qed.

  (** ** For all k <= K, what the model says, read back step by step, is the chain of facts *)

  Hypothesis entities : forall e r, (e < N)%nat -> (r < R)%nat -> (pi r e < N)%nat.
  Hypothesis words_differ : forall a b, (a < N)%nat -> (b < N)%nat -> a <> b -> 0 < squared_distance m v a b.

  Theorem chain_of_thought k rs es s :
    (k <= K)%nat -> (forall t, (t < k)%nat -> (rs t < R)%nat) -> (s < N)%nat -> es 0%nat = s ->
    generated in_place_steps N K k rs es -> forall i, (i <= k)%nat -> es i = chain pi rs s i.
  Proof.
    intros Hk Hr Hs E G. apply (all_chains in_place_steps reading (select_in_place R m (2 * gate) (2 * gate + lo)) N R K pi
      in_place_certified entities) with (k := k); trivial.
    intros e r b He Hr' Hb Ne. pose proof (one_hop_in_place e r b He Hr') as H.
    pose proof (words_differ (pi r e) b (entities e r He Hr') Hb (not_eq_sym Ne)).
    unfold Qdiv in H. change (/ 2) with (1 # 2) in H. lra.
  Qed.
End Construction.
