(** C5(d): a relation's token carries its whole table, and layers compose maps: ceil(log2(k + 1)) of them.

    Blocks 0..N-1 are the table, a word for each of N slots, blocks N..2N-1 the operand. After l layers the table at
    position t is the map of the 2^l tokens that end there; a window that reaches the subject is a constant map. *)

From Georecall Require Import transformer single_hop hops.

(** * Maps, composed *)

Section Maps.
  Variables (s : nat) (table : nat -> nat -> nat) (tok : nat -> nat).

  (** The subject's token is a constant map; hop t asks with relation tok t. *)
  Definition token_map (t x : nat) : nat := match t with O => s | S t => table (tok t) x end.

  (** The map of the n tokens that end at position t. *)
  Fixpoint window_map (n t x : nat) : nat :=
    match n with O => x | S n => token_map t (window_map n (t - 1) x) end.

  Fixpoint reached (t : nat) : nat := match t with O => s | S t => table (tok t) (reached t) end.

  (** The doubling: where t < n the first window is constant, whatever the second one is. *)
  Lemma window_add n n' t x : window_map (n + n') t x = window_map n t (window_map n' (t - n) x).
  Proof.
    revert t. induction n as [|n IH]; intro t; cbn [plus window_map]; [now rewrite Nat.sub_0_r|].
    rewrite IH. now replace (t - 1 - n)%nat with (t - S n)%nat by lia.
  Qed.

  Lemma window_all n t x : (t < n)%nat -> window_map n t x = reached t.
  Proof.
    revert n. induction t as [|t IH]; intros [|n] H; try lia; [reflexivity|]. cbn [window_map token_map reached].
    rewrite <- (IH n) by lia. now replace (S t - 1)%nat with t by lia.
  Qed.
End Maps.

(** * The construction *)

Section Parallel.
  Variables (N m k : nat) (table : nat -> nat -> nat) (u : nat -> nat -> Q).
  Hypothesis u_signs : signs m u.
  Hypothesis words_differ : forall a b, (a < N)%nat -> (b < N)%nat -> a <> b -> (1 <= distance m u a b)%nat.

  Definition stream_of_maps : space := Space (N + N) m 0 0 0 0 (k + 1).
  Let S := stream_of_maps.

  Definition maps (token : nat) : vector := fun c =>
    match c with
    | Block x j => if (x <? N)%nat then u (if (token <? N)%nat then token else table (token - N) x) j else 0
    | _ => 0
    end.

  (** A head that scores position j with -|j - max(0, t - d)| and copies the table there to the operand here. *)
  Definition reading (d : nat) : Head :=
    mkHead (range (k + 1))
      (fun c a => match c with Position t => - inject_Z (Z.abs (Z.of_nat (t - d) - Z.of_nat a)) | _ => 0 end)
      (fun c a => match c with Position j => if (j =? a)%nat then 1 else 0 | _ => 0 end)
      (map (fun n => Block (fst n) (snd n)) (block_neurons N m))
      (fun c a => if same c a then 1 else 0)
      (fun a c => match a with Block b j => if same c (Block (N + b) j) then 1 else 0 | _ => 0 end).

  (** Neurons ReLU(<u(y), operand_x> - m + table_{y, i} + 1): table_x becomes what slot operand_x holds. *)
  Definition composing (slots : nat) : MLP :=
    mkMLP _ (list_prod (list_prod (range slots) (range N)) (range m))
      (fun c n => match n with (x, y, i) =>
         (match c with Block b j => if (b =? N + x)%nat then u y j else 0 | _ => 0 end) + (if same c (Block y i) then 1 else 0) end)
      (fun _ => 1 - whole m)
      (fun n c => match n with (x, y, i) => if same c (Block x i) then 1 else 0 end)
      (fun c => match c with Block b _ => if (b <? slots)%nat then -(1) else 0 | _ => 0 end).

  Definition doubling (d : nat) : Layer := mkLayer [reading d] (Some (beside (composing N) (erasing (N + N) m (-(1))))).
  Definition last_doubling (d : nat) : Layer := mkLayer [reading d] (Some (beside (composing 1) (erasing 1 m (-(1))))).

  Fixpoint tree (d layers : nat) : list Layer :=
    match layers with
    | O => []
    | 1 => [last_doubling d]
    | Datatypes.S layers => doubling d :: tree (2 * d) layers
    end%nat.

  Definition read_first (c : direction) (a : nat) : Q := match c with Block b j => if (b =? 0)%nat then u a j else 0 | _ => 0 end.

  Definition parallel (layers : nat) : Transformer :=
    mkTransformer S maps one_hot (tree 1 layers) read_first (fun _ => 0).

  (** ** A layer *)

  Variables (s j : nat) (tok : nat -> nat).
  Hypothesis subject : (s < N)%nat.
  Hypothesis few : (j <= k)%nat.
  Hypothesis entities : forall t e, (t < j)%nat -> (e < N)%nat -> (table (tok t) e < N)%nat.
  Let window := window_map s table tok.

  Lemma window_entity n t e : (t <= j)%nat -> (e < N)%nat -> (window n t e < N)%nat.
  Proof.
    revert t. induction n as [|n IH]; intros t Ht He; [trivial|]. unfold window. cbn [window_map].
    destruct t as [|t]; [trivial|]. cbn [token_map]. apply entities; [lia|]. apply IH; trivial. lia.
  Qed.

  Lemma attend_reading x d t c : numbered k j x -> (t <= j)%nat ->
    attend S (reading d) x t c == match c with
      | Block b i => if (N <=? b)%nat && (b <? N + N)%nat && (i <? m)%nat then x (t - d)%nat (Block (b - N) i) else 0
      | _ => 0
      end.
  Proof.
    intros P Ht. unfold attend. cbn [carried reading W_O W_V].
    assert (E : forall i, (i <= t)%nat -> score S (reading d) x t i
      == - inject_Z (Z.abs (Z.of_nat (t - d) - Z.of_nat i))).
    { intros i Hi. unfold score. cbn [scored reading W_Q W_K].
      rewrite (sum_range_ext (k + 1) _ (fun a => - inject_Z (Z.abs (Z.of_nat (t - d) - Z.of_nat a)) * (if (i =? a)%nat then 1 else 0))).
      - rewrite (sum_range_one (k + 1) i), Nat.eqb_refl by lia || (intros a _ D; rewrite (proj2 (Nat.eqb_neq i a)) by congruence; ring). ring.
      - intros a _. rewrite (sum_positions S (x t) (fun a t => - inject_Z (Z.abs (Z.of_nat (t - d) - Z.of_nat a)))),
          (sum_positions S (x i) (fun a j => if (j =? a)%nat then 1 else 0)).
        cbn [n_position S stream_of_maps]. rewrite (sum_range_one (k + 1) t), (sum_range_one (k + 1) i); try lia.
        + rewrite (P t t), (P i i), !Nat.eqb_refl by lia. ring.
        + intros i' Hi' D. rewrite (P i i'), (proj2 (Nat.eqb_neq i' i) D) by lia. ring.
        + intros i' Hi' D. rewrite (P t i'), (proj2 (Nat.eqb_neq i' t) D) by lia. ring. }
    rewrite sum_map. unfold block_neurons. rewrite sum_pairs. cbn [fst snd].
    rewrite (sum_range_ext N _ (fun b => Σ i ∈ range m, (x (t - d)%nat (Block b i) * (if same c (Block (N + b) i) then 1 else 0)))).
    - destruct c as [b i|i|i|i|r|r|p]; try (apply sum_range_0; intros b Hb; apply sum_range_0; intros i' Hi'; cbn [same]; ring).
      assert (Z : (forall b' i', (b' < N)%nat -> (i' < m)%nat -> Block b i <> Block (N + b') i') ->
        Σ b' ∈ range N, Σ i' ∈ range m, (x (t - d)%nat (Block b' i') * (if same (Block b i) (Block (N + b') i') then 1 else 0)) == 0).
      { intro D. apply sum_range_0. intros b' Hb. apply sum_range_0. intros i' Hi.
        destruct (same_spec (Block b i) (Block (N + b') i')); [now elim (D b' i')|ring]. }
      destruct (Nat.leb_spec N b), (Nat.ltb_spec b (N + N)), (Nat.ltb_spec i m); cbn [andb];
        try (apply Z; intros b' i' Hb Hi F; injection F; lia).
      rewrite (sum_range_one N (b - N)) by lia || (intros b' Hb D; apply sum_range_0; intros i' Hi;
        destruct (same_spec (Block b i) (Block (N + b') i')) as [F|]; [injection F; lia|ring]).
      rewrite (sum_range_one m i) by trivial || (intros i' Hi D;
        destruct (same_spec (Block b i) (Block (N + (b - N)) i')) as [F|]; [injection F; lia|ring]).
      replace (N + (b - N))%nat with b by lia. rewrite same_refl. ring.
    - intros b Hb. apply sum_range_ext. intros i Hi. apply Qmult_comp; [|reflexivity].
      rewrite (hard_reads _ t (t - d) (fun i' => times S (x i') (fun c a => if same c a then 1 else 0) (Block b i))); [|lia|].
      + unfold times. rewrite read by (cbn; lia). ring.
      + intros i' Hi' D. rewrite !E by lia. rewrite Z.sub_diag. change (inject_Z (Z.abs 0)) with 0.
        assert (0 < inject_Z (Z.abs (Z.of_nat (t - d) - Z.of_nat i'))) by (change 0 with (inject_Z 0); rewrite <- Zlt_Qlt; lia). lra.
  Qed.

  Lemma composes slots x e c : (slots <= N)%nat ->
    (forall y, (y < slots)%nat -> (e y < N)%nat /\ forall i, (i < m)%nat -> x (Block (N + y) i) == u (e y) i) ->
    (forall y i, (y < N)%nat -> (i < m)%nat -> -(1) <= x (Block y i) <= 1) -> inside S c ->
    applied S (composing slots) x c == x c + match c with Block b i => if (b <? slots)%nat then x (Block (e b) i) else 0 | _ => 0 end.
  Proof.
    intros Le On Table I. unfold applied. cbn [neuron neurons composing W_in W_out b_in b_out].
    rewrite !sum_pairs. apply Qplus_comp; [reflexivity|].
    assert (T : forall y z i, (y < slots)%nat -> (z < N)%nat -> (i < m)%nat ->
      times S x (W_in (composing slots)) (y, z, i) == whole m - 2 * whole (distance m u (e y) z) + x (Block z i)).
    { intros y z i Hy Hz Hi. unfold times. cbn [composing W_in].
      rewrite (sum_ext _ _ (fun c => x c * (match c with Block b j => if (b =? N + y)%nat then u z j else 0 | _ => 0 end)
        + x c * (if same c (Block z i) then 1 else 0))) by (intros; ring).
      rewrite sum_plus, read by (cbn; lia).
      rewrite (sum_each_block S x (fun a b j => if (b =? N + y)%nat then u a j else 0) z : Σ c ∈ directions S, _ == _).
      cbn [n_blocks word_length S stream_of_maps]. rewrite (sum_range_one (N + N) (N + y)), Nat.eqb_refl.
      - pose proof (product S u u_signs (e y) z) as P. change (word_length S) with m in P. rewrite <- P.
        rewrite (sum_range_ext m _ (fun j => u (e y) j * u z j)); [ring|]. intros i' Hi'. now rewrite (proj2 (On y Hy)).
      - lia.
      - intros b _ D. apply sum_range_0. intros i' _. rewrite (proj2 (Nat.eqb_neq b (N + y)) D). ring. }
    cbn [composing W_in] in T.
    assert (Off : (forall y i, (y < slots)%nat -> c <> Block y i) ->
      forall f, Σ y ∈ range slots, Σ z ∈ range N, Σ i ∈ range m, (f y z i * (if same c (Block y i) then 1 else 0)) == 0).
    { intros D f. apply sum_range_0. intros y Hy. apply sum_range_0. intros z _. apply sum_range_0. intros i _.
      destruct (same_spec c (Block y i)); [now elim (D y i)|ring]. }
    destruct c as [b i|i|i|i|r|r|p]; try (rewrite Off by discriminate; ring).
    destruct (Nat.ltb_spec b slots) as [Hb|Hb]; [|rewrite Off by (intros y i' Hy F; injection F; lia); ring].
    cbn in I. destruct I as [_ Hi]. destruct (On b Hb) as [He _].
    rewrite (sum_range_one slots b); trivial.
    - rewrite (sum_range_one N (e b)); trivial.
      + rewrite (sum_range_one m i), same_refl; trivial.
        * rewrite T, distance_self by trivial. change (whole 0) with 0. specialize (Table (e b) i He Hi). rewrite relu_on; lra.
        * intros i' _ D. destruct (same_spec (Block b i) (Block b i')); [congruence|ring].
      + intros z Hz D. apply sum_range_0. intros i' Hi'. rewrite T by trivial.
        specialize (words_differ (e b) z He Hz (not_eq_sym D)). specialize (Table z i' Hz Hi').
        assert (1 <= whole (distance m u (e b) z)) by (unfold whole; change 1 with (inject_Z 1); rewrite <- Zle_Qle; lia).
        rewrite relu_off by lra. ring.
    - intros y Hy D. apply sum_range_0. intros z _. apply sum_range_0. intros i' _.
      destruct (same_spec (Block b i) (Block y i')); [congruence|ring].
  Qed.

  (** ** The doubling invariant *)

  Definition holds_windows (n : nat) (x : nat -> vector) : Prop := numbered k j x /\
    forall t e i, (t <= j)%nat -> (e < N)%nat -> (i < m)%nat ->
      x t (Block e i) == u (window n t e) i /\ x t (Block (N + e) i) == 0.

  Let sign e i : (i < m)%nat -> -(1) <= u e i <= 1.
  Proof. intro J. destruct (u_signs e i J) as [->| ->]; lra. Qed.

  Lemma after_reading d x t : holds_windows d x -> (t <= j)%nat -> forall e i, (e < N)%nat -> (i < m)%nat ->
    attended S [reading d] x t (Block e i) == u (window d t e) i /\
    attended S [reading d] x t (Block (N + e) i) == u (window d (t - d) e) i.
  Proof.
    intros [P X] Ht e i He Hi. unfold attended. rewrite !sum_cons. cbn [sum]. rewrite !attend_reading by trivial.
    rewrite (proj2 (Nat.leb_gt N e)), (proj2 (Nat.leb_le N (N + e))), (proj2 (Nat.ltb_lt (N + e) (N + N))),
      (proj2 (Nat.ltb_lt i m)) by lia. cbn [andb]. replace (N + e - N)%nat with e by lia.
    destruct (X t e i Ht He Hi) as [-> ->]. destruct (X (t - d)%nat e i ltac:(lia) He Hi) as [-> _]. split; ring.
  Qed.

  Let composed slots d x t c : (slots <= N)%nat -> holds_windows d x -> (t <= j)%nat -> inside S c ->
    applied S (composing slots) (attended S [reading d] x t) c == attended S [reading d] x t c
      + match c with Block b i => if (b <? slots)%nat then u (window (d + d) t b) i else 0 | _ => 0 end.
  Proof.
    intros Le H Ht I. rewrite (composes slots _ (window d (t - d))); trivial.
    - apply Qplus_comp; [reflexivity|]. destruct c as [b i|i|i|i|r|r|p]; try reflexivity.
      destruct (Nat.ltb_spec b slots); [|reflexivity]. cbn in I.
      rewrite (proj1 (after_reading d x t H Ht (window d (t - d) b) i (window_entity d (t - d) b ltac:(lia) ltac:(lia)) ltac:(lia))).
      unfold window. now rewrite window_add.
    - intros y Hy. split; [apply window_entity; lia|]. intros i Hi. now apply after_reading; try lia.
    - intros y i Hy Hi. rewrite (proj1 (after_reading d x t H Ht y i Hy Hi)). now apply sign.
  Qed.

  Lemma doubles d x : holds_windows d x -> holds_windows (2 * d) (run S (doubling d) x).
  Proof.
    intro H. split.
    - intros t i Ht Hi. rewrite untouched; [now apply H| |].
      + intros h [<-|[]] a I. apply in_map_iff in I as ((b, i') & <- & _). reflexivity.
      + intros f [= <-]. split; [reflexivity|]. intros n I. cbn [neurons beside] in I.
        apply in_app_iff in I as [I|I]; apply in_map_iff in I as (n' & <- & _); cbn [W_out beside composing erasing same];
          [destruct n' as ((y, z), i')|]; reflexivity.
    - intros t e i Ht He Hi. destruct (after_reading d x t H Ht e i He Hi) as [T C].
      unfold run. cbn [mlp heads doubling]. rewrite !applied_beside.
      rewrite !composed by (trivial; cbn; lia). rewrite !(erases S (N + N) m (-(1))), T, C; cbn [n_blocks word_length S stream_of_maps]; try lia;
        try (rewrite T || rewrite C; now apply sign).
      rewrite (proj2 (Nat.ltb_lt e N)), (proj2 (Nat.ltb_ge (N + e) N)) by lia.
      replace (2 * d)%nat with (d + d)%nat by lia. split; ring.
  Qed.

  Lemma last_reads d x i : holds_windows d x -> (j < 2 * d)%nat -> (i < m)%nat ->
    run S (last_doubling d) x j (Block 0 i) == u (reached s table tok j) i.
  Proof.
    intros H Hd Hi. assert (Z : (0 < N)%nat) by lia. destruct (after_reading d x j H (le_n j) 0 i Z Hi) as [T _].
    unfold run. cbn [mlp heads last_doubling]. rewrite applied_beside, composed by (trivial; cbn; lia).
    rewrite (erases S 1 m (-(1))); cbn [n_blocks word_length S stream_of_maps]; try lia; [|rewrite T; now apply sign].
    unfold window. rewrite window_all by lia. change (0 <? 1)%nat with true. cbv iota. ring.
  Qed.

  Lemma tree_reads layers : forall d x, (0 < layers)%nat -> (j < d * 2 ^ layers)%nat -> holds_windows d x ->
    forall i, (i < m)%nat ->
      fold_left (fun x L => run S L x) (tree d layers) x j (Block 0 i) == u (reached s table tok j) i.
  Proof.
    induction layers as [|[|layers] IH]; intros d x Hl Hd H i Hi; [lia| |].
    - cbn [tree fold_left]. apply last_reads; trivial. cbn in Hd. lia.
    - change (tree d (Datatypes.S (Datatypes.S layers))) with (doubling d :: tree (2 * d) (Datatypes.S layers)).
      cbn [fold_left]. apply IH; trivial; [lia| |now apply doubles]. rewrite Nat.pow_succ_r' in Hd. lia.
  Qed.

  (** ** ceil(log2(k + 1)) layers answer every query of at most k hops; the margin is exact *)

  Let p := hops_prompt N j s tok.

  Lemma embedded_windows layers : holds_windows 1 (embedded (parallel layers) p).
  Proof.
    assert (X0 : forall c, embedded (parallel layers) p 0 c = maps s c + one_hot 0 c) by reflexivity.
    assert (Xt : forall t c, (t < j)%nat -> embedded (parallel layers) p (t + 1) c = maps (N + tok t) c + one_hot (t + 1) c).
    { intros t c Ht. unfold embedded, p. now rewrite prompt_relation. }
    split.
    - intros [|t] i Ht Hi; [rewrite X0|rewrite <- Nat.add_1_r, Xt by lia]; cbn [maps one_hot]; ring.
    - intros t e i Ht He Hi. destruct t as [|t]; [rewrite !X0|rewrite <- Nat.add_1_r, !Xt by lia]; cbn [maps one_hot];
        rewrite (proj2 (Nat.ltb_lt e N)), (proj2 (Nat.ltb_ge (N + e) N)) by lia.
      + apply Nat.ltb_lt in subject as ->. unfold window. cbn [window_map token_map]. split; ring.
      + rewrite (proj2 (Nat.ltb_ge (N + tok t) N)) by lia. replace (N + tok t - N)%nat with (tok t) by lia.
        unfold window. rewrite Nat.add_1_r. cbn [window_map token_map]. split; ring.
  Qed.

  Theorem parallel_hops layers b : (0 < layers)%nat -> (k < 2 ^ layers)%nat ->
    let y := reached s table tok j in
    logit (parallel layers) p y - logit (parallel layers) p b == 2 * whole (distance m u y b).
  Proof.
    intros Hl Hk y. unfold logit, p. rewrite prompt_length by trivial. fold p. replace (j + 1 - 1)%nat with j by lia.
    assert (E : forall a, times S (residual (parallel layers) p j) read_first a == Σ i ∈ range m, (u y i * u a i)).
    { intro a. unfold read_first. rewrite (sum_each_block S _ (fun a b j => if (b =? 0)%nat then u a j else 0)).
      cbn [n_blocks word_length S stream_of_maps]. rewrite (sum_range_one (N + N) 0); [|lia|].
      - rewrite Nat.eqb_refl. apply sum_range_ext. intros i Hi. apply Qmult_comp; [|reflexivity].
        apply (tree_reads layers 1); trivial; [lia|apply embedded_windows].
      - intros c _ D. apply sum_range_0. intros i _. rewrite (proj2 (Nat.eqb_neq c 0) D). ring. }
    cbn [stream parallel W_U b_U]. fold S. rewrite !E.
    pose proof (product S u u_signs) as P. change (word_length S) with m in P. rewrite !P, distance_self.
    change (whole 0) with 0. ring.
  Qed.

  Corollary parallel_hops_recalls layers b : (0 < layers)%nat -> (k < 2 ^ layers)%nat -> (b < N)%nat ->
    let y := reached s table tok j in
    b <> y -> 2 <= logit (parallel layers) p y - logit (parallel layers) p b.
  Proof.
    intros Hl Hk Hb y D.
    rewrite (parallel_hops layers b Hl Hk : logit _ _ y - _ == 2 * whole (distance m u y b)).
    assert (Hy : (y < N)%nat).
    { unfold y. rewrite <- (window_all s table tok (Datatypes.S j) j 0) by lia. apply window_entity; lia. }
    specialize (words_differ y b Hy Hb (not_eq_sym D)).
    enough (1 <= whole (distance m u y b)) by lra. unfold whole. change 1 with (inject_Z 1). rewrite <- Zle_Qle. lia.
  Qed.
End Parallel.
