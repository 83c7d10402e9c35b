(** C10: facts on both sides, the first hops in W_E and the last ones in W_U.

    A side has blocks; each holds one word for every entity and waits for some letters of the query. The construction
    is right for any two sides of which a query lifts one block each; strings of letters and the middle letter that
    decides are such sides, and so is either of them in another gauge. *)

From Georecall Require Import transformer single_hop hops.

Record Side := mkSide {
  n_held : nat;                          (* blocks *)
  held : nat -> nat -> nat;              (* block, entity: whose word *)
  waits : nat -> nat -> nat -> bool;     (* block, hop, letter *)
  conditions : nat }.                    (* letters that a block waits for *)

Definition matched (k : nat) (rs : nat -> nat) (X : Side) (b : nat) : Q :=
  Σ t ∈ range k, (if waits X b t (rs t) then 1 else 0).

Lemma matched_positive k rs X b : 0 <= matched k rs X b.
Proof.
  unfold matched. rewrite <- (sum_0 (range k) (fun _ => 0)) by reflexivity. apply sum_le.
  intros t _. destruct (waits X b t (rs t)); lra.
Qed.

(** The query lifts block b in full, and no other. *)
Definition lifts (k : nat) (rs : nat -> nat) (X : Side) (b : nat) : Prop :=
  (b < n_held X)%nat /\ matched k rs X b == whole (conditions X) /\
  forall c, (c < n_held X)%nat -> c <> b -> matched k rs X c <= whole (conditions X) - 1.

(** * Neurons *)

(** ReLU(x - level) of every block writes to the first, whose bias is -1: the word of the one block lifted. *)
Definition select_first (A m : nat) (level : Q) : MLP :=
  mkMLP _ (block_neurons A m)
    (fun c n => if same c (Block (fst n) (snd n)) then 1 else 0)
    (fun _ => - level)
    (fun n c => if same c (Block 0 (snd n)) then 1 else 0)
    (fun c => match c with Block 0 _ => -(1) | _ => 0 end).

(** ReLU(x_w + g_v - level) of n blocks w and B gates v writes to output block v, *)
Definition through_gates (n B m off : nat) (level : Q) : MLP :=
  mkMLP _ (list_prod (list_prod (range n) (range B)) (range m))
    (fun c n => (if same c (Block (fst (fst n)) (snd n)) then 1 else 0) + (if same c (Asked (snd (fst n))) then 1 else 0))
    (fun _ => - level)
    (fun n c => if same c (Block (off + snd (fst n)) (snd n)) then 1 else 0)
    (fun _ => 0).

(** and ReLU(g_v - level), 1 at the gate lifted and else 0, is taken off it. *)
Definition gate_levels (B off : nat) (level : Q) : MLP :=
  mkMLP _ (range B)
    (fun c v => if same c (Asked v) then 1 else 0)
    (fun _ => - level)
    (fun v c => match c with Block b _ => if (b =? off + v)%nat then -(1) else 0 | _ => 0 end)
    (fun _ => 0).

Lemma erasing_spares S B m lo x b j : (B <= b)%nat -> applied S (erasing B m lo) x (Block b j) == x (Block b j).
Proof.
  intro H. unfold applied. cbn [neuron neurons erasing W_in W_out b_in b_out]. rewrite (proj2 (Nat.ltb_ge b B) H).
  rewrite sum_0; [ring|]. intros (b', i) I. apply in_prod_iff in I as [I _]. apply in_range in I. cbn [fst snd].
  destruct (same_spec (Block b j) (Block b' i)) as [F|]; [injection F; lia|ring].
Qed.

Section Neurons.
  Variables (S : space) (m : nat) (x : vector) (word : nat -> Q).
  Hypothesis width : word_length S = m.

  Lemma selects_first A level w0 c : (A <= n_blocks S)%nat -> (w0 < A)%nat ->
    (forall j, (j < m)%nat -> -(1) <= word j /\ x (Block w0 j) == word j + 1 + level) ->
    (forall w j, (w < A)%nat -> (j < m)%nat -> w <> w0 -> x (Block w j) <= level) -> inside S c ->
    applied S (select_first A m level) x c == x c + match c with Block 0 j => word j | _ => 0 end.
  Proof.
    intros Le Hw On Off I. unfold applied. cbn [neuron neurons select_first W_in W_out b_in b_out].
    apply Qplus_comp; [reflexivity|]. unfold block_neurons. rewrite sum_pairs. cbn [fst snd].
    assert (T : forall w j, (w < A)%nat -> (j < m)%nat ->
      times S x (fun c n => if same c (Block (fst n) (snd n)) then 1 else 0) (w, j) == x (Block w j)).
    { intros w j Ww J. unfold times. cbn [fst snd]. rewrite read; [ring|]. cbn. lia. }
    rewrite (sum_range_one A w0); trivial.
    - assert (E : forall f, (forall j, c <> Block 0 j) ->
        Σ i ∈ range m, (f i * (if same c (Block 0 i) then 1 else 0)) == 0).
      { intros f D. apply sum_range_0. intros i _. destruct (same_spec c (Block 0 i)); [now elim (D i)|ring]. }
      destruct c as [[|b] j|j|i|i|r|r|t]; try (rewrite E by discriminate; ring).
      cbn in I. destruct I as [_ J]. rewrite width in J. rewrite (sum_range_one m j), same_refl, T; trivial.
      + destruct (On j J) as [L ->]. rewrite relu_on; lra.
      + intros i Hi D. destruct (same_spec (Block 0 j) (Block 0 i)); [congruence|ring].
    - intros w Ww D. apply sum_range_0. intros j J. rewrite T by trivial.
      rewrite relu_off; [ring|]. specialize (Off w j Ww J D). lra.
  Qed.

  (** What an output block gets: the word at the one whose gate is lifted, 0 elsewhere. *)
  Lemma outputs n B off levels level w0 v0 v j :
    (n <= n_blocks S)%nat -> (B <= n_asked S)%nat -> (w0 < n)%nat -> (v0 < B)%nat -> (v < B)%nat -> (j < m)%nat ->
    (forall i, (i < m)%nat -> -(1) <= word i /\ x (Block w0 i) + x (Asked v0) == word i + 1 + levels) ->
    (forall w v i, (w < n)%nat -> (v < B)%nat -> (i < m)%nat -> w <> w0 \/ v <> v0 -> x (Block w i) + x (Asked v) <= levels) ->
    x (Asked v0) == 1 + level -> (forall v, (v < B)%nat -> v <> v0 -> x (Asked v) <= level) ->
    applied S (beside (through_gates n B m off levels) (gate_levels B off level)) x (Block (off + v) j)
      == x (Block (off + v) j) + if (v =? v0)%nat then word j else 0.
  Proof.
    intros Ln LB Hw Hv0 Hv J On Off G G'. rewrite applied_beside. unfold applied.
    cbn [neuron neurons through_gates gate_levels W_in W_out b_in b_out]. rewrite !sum_pairs. cbn [fst snd].
    assert (T : forall w v' i, (w < n)%nat -> (v' < B)%nat -> (i < m)%nat ->
      times S x (fun c n => (if same c (Block (fst (fst n)) (snd n)) then 1 else 0)
        + (if same c (Asked (snd (fst n))) then 1 else 0)) (w, v', i) == x (Block w i) + x (Asked v')).
    { intros w v' i Ww Wv Wi. unfold times. cbn [fst snd].
      rewrite (sum_ext _ _ (fun c => x c * (if same c (Block w i) then 1 else 0) + x c * (if same c (Asked v') then 1 else 0)))
        by (intros; ring).
      rewrite sum_plus, !read by (cbn; lia). ring. }
    assert (T' : forall v', (v' < B)%nat -> times S x (fun c v => if same c (Asked v) then 1 else 0) v' == x (Asked v')).
    { intros v' Wv. unfold times. rewrite read by (cbn; lia). ring. }
    rewrite (sum_range_one B v (fun v' => relu (times S x (fun c v => if same c (Asked v) then 1 else 0) v' + - level)
      * (if (off + v =? off + v')%nat then -(1) else 0))); trivial.
    2: { intros v' _ D. rewrite (proj2 (Nat.eqb_neq (off + v) (off + v'))) by lia. ring. }
    rewrite Nat.eqb_refl, T' by trivial.
    assert (E : Σ w ∈ range n, Σ v' ∈ range B, Σ i ∈ range m,
      (relu (times S x (fun c n => (if same c (Block (fst (fst n)) (snd n)) then 1 else 0)
        + (if same c (Asked (snd (fst n))) then 1 else 0)) (w, v', i) + - levels)
        * (if same (Block (off + v) j) (Block (off + v') i) then 1 else 0))
      == Σ w ∈ range n, (relu (x (Block w j) + x (Asked v) + - levels))).
    { apply sum_range_ext. intros w Ww. rewrite (sum_range_one B v), (sum_range_one m j); trivial.
      - rewrite T, same_refl by trivial. ring.
      - intros i Wi D. destruct (same_spec (Block (off + v) j) (Block (off + v) i)); [congruence|ring].
      - intros v' Wv D. apply sum_range_0. intros i Wi.
        destruct (same_spec (Block (off + v) j) (Block (off + v') i)) as [F|]; [|ring]. injection F. lia. }
    rewrite E.
    destruct (Nat.eqb_spec v v0) as [->|D].
    - rewrite (sum_range_one n w0); trivial.
      + destruct (On j J) as [L F]. rewrite F, G, !relu_on; lra.
      + intros w Ww D. apply relu_off. specialize (Off w v0 j Ww Hv0 J (or_introl D)). lra.
    - rewrite sum_range_0.
      + rewrite (relu_off (x (Asked v) + - level)); [ring|]. specialize (G' v Hv D). lra.
      + intros w Ww. apply relu_off. specialize (Off w v j Ww Hv J (or_intror D)). lra.
  Qed.

  Lemma outputs_elsewhere n B off levels level c :
    (forall v j, (v < B)%nat -> c <> Block (off + v) j) ->
    applied S (beside (through_gates n B m off levels) (gate_levels B off level)) x c == x c.
  Proof.
    intro D. rewrite applied_beside. unfold applied. cbn [neuron neurons through_gates gate_levels W_in W_out b_in b_out].
    rewrite !sum_0; [ring| |].
    - intros v I. apply in_range in I. destruct c as [b j|j|i|i|r|r|t]; try ring.
      destruct (Nat.eqb_spec b (off + v)) as [->|]; [now elim (D v j I)|ring].
    - intros ((w, v), i) I. apply in_prod_iff in I as [I _]. apply in_prod_iff in I as [_ I]. apply in_range in I.
      cbn [fst snd]. destruct (same_spec c (Block (off + v) i)) as [->|]; [now elim (D v i I)|ring].
  Qed.
End Neurons.

(** * The construction, for two sides *)

Section TwoSided.
  Variables (N R m k blocks : nat) (u : nat -> nat -> Q) (gate : Q) (L X : Side).
  Hypothesis u_signs : signs m u.
  Hypothesis gate_high : 1 <= gate.
  Let A := n_held L.
  Let B := n_held X.

  Definition stream_of_sides : space := Space blocks m 0 0 R B (k + 1).
  Let S := stream_of_sides.
  Hypothesis room : (A <= blocks)%nat.

  Definition left_side (token : nat) : vector := fun c =>
    match c with
    | Block b j => if (token <? N)%nat && (b <? A)%nat then u (held L b token) j else 0
    | Relation r => if (token <? N)%nat then 0 else if ((token - N) mod R =? r)%nat then 1 else 0
    | _ => 0
    end.

  (** W_U: output block v, the blocks from [off] on, holds the word of what answer a is held for there. *)
  Definition right_side (off : nat) (c : direction) (a : nat) : Q :=
    match c with
    | Block b j => if (off <=? b)%nat && (b <? off + B)%nat then u (held X (b - off) a) j else 0
    | _ => 0
    end.

  (** Head t lifts, by 2 gate, every block and every gate that waits for its letter. *)
  Definition lift_waiting (t : nat) : Head :=
    copying k (t + 1) (map Relation (range R)) (fun a c =>
      match a, c with
      | Relation r, Block b _ => if (b <? A)%nat && waits L b t r then 2 * gate else 0
      | Relation r, Asked v => if waits X v t r then 2 * gate else 0
      | _, _ => 0
      end).

  Definition side_heads : list Head := copy_subject m k A :: map lift_waiting (range k).

  (** The level that a word or a gate reaches only with all its letters. *)
  Definition all_letters (n : nat) : Q := 2 * gate * whole n - 1.

  Definition shared_layers : list Layer :=
    [mkLayer side_heads (Some (beside (select_first A m (all_letters (conditions L))) (erasing A m (-(1)))));
     mkLayer [] (Some (beside (beside (through_gates 1 B m 0 (all_letters (conditions X)))
       (gate_levels B 0 (all_letters (conditions X)))) (erasing 1 m (-(1)))))].

  Definition merged_layers : list Layer :=
    [mkLayer side_heads (Some (beside
       (through_gates A B m A (all_letters (conditions L + conditions X))) (gate_levels B A (all_letters (conditions X)))))].

  Definition sides_model (layers : list Layer) (off : nat) : Transformer :=
    mkTransformer S left_side one_hot layers (right_side off) (fun _ => 0).

  (** ** After attention *)

  Variables (rs tok : nat -> nat) (s w0 v0 : nat).
  Hypothesis relations : forall t, (rs t < R)%nat.
  Hypothesis letters : forall t, (tok t mod R)%nat = rs t.
  Hypothesis subject : (s < N)%nat.
  Hypothesis hops : (0 < k)%nat.
  Hypothesis lifts_left : lifts k rs L w0.
  Hypothesis lifts_right : lifts k rs X v0.
  Let p := hops_prompt N k s tok.
  Let z := held L w0 s.

  Let entered Ls off t c : (t < k)%nat ->
    embedded (sides_model Ls off) p (t + 1) c = left_side (N + tok t) c + one_hot (t + 1) c.
  Proof. intro H. unfold embedded, p. now rewrite prompt_relation. Qed.

  Let off_subjects t : (N + tok t <? N)%nat = false.
  Proof. apply Nat.ltb_ge. lia. Qed.

  Let positions Ls off : numbered k k (embedded (sides_model Ls off) p).
  Proof.
    intros [|t] i Ht Hi; [cbn [embedded sides_model W_E W_pos p hops_prompt nth left_side one_hot]; ring|].
    rewrite <- Nat.add_1_r, entered by lia. cbn [left_side one_hot]. ring.
  Qed.

  Let attention_reads Ls off c : inside S c ->
    attended S side_heads (embedded (sides_model Ls off) p) k c ==
      left_side (N + tok (k - 1)) c + one_hot k c
      + ((match c with Block b j => if (b <? A)%nat then u (held L b s) j else 0 | _ => 0 end)
         + Σ t ∈ range k, (match c with
             | Block b _ => if (b <? A)%nat && waits L b t (rs t) then 2 * gate else 0
             | Asked v => if waits X v t (rs t) then 2 * gate else 0
             | _ => 0
             end)).
  Proof.
    intro I. unfold attended. apply Qplus_comp.
    - replace k with (k - 1 + 1)%nat at 1 by lia. rewrite entered by lia. now replace (k - 1 + 1)%nat with k by lia.
    - unfold side_heads. rewrite sum_cons, sum_map. apply Qplus_comp.
      + unfold copy_subject. rewrite attend_copying; [|cbn; lia|apply positions|lia|].
        * destruct c as [b j|j|i|i|r|r|t];
            try (apply sum_0; intros a I'; apply in_map_iff in I' as ((b' & j') & <- & _); cbn; ring).
          destruct (Nat.ltb_spec b A) as [Hb|Hb].
          -- rewrite (sum_one (Block b j)).
             ++ rewrite same_refl. unfold embedded, p. cbn [hops_prompt nth sides_model W_E W_pos left_side one_hot].
                apply Nat.ltb_lt in subject as ->. apply Nat.ltb_lt in Hb as ->. cbn [andb]. ring.
             ++ apply FinFun.Injective_map_NoDup; [now intros [? ?] [? ?] [= -> ->]|]. apply NoDup_list_prod; apply seq_NoDup.
             ++ apply in_map_iff. exists (b, j). split; trivial. apply in_prod_iff. rewrite !in_range. cbn in I. lia.
             ++ intros d _ D. destruct (same_spec d (Block b j)); [contradiction|ring].
          -- apply sum_0. intros a I'. apply in_map_iff in I' as ((b' & j') & <- & I'). apply in_prod_iff in I' as [I' _].
             apply in_range in I'. cbn [fst snd]. destruct (same_spec (Block b' j') (Block b j)) as [F|]; [|ring].
             injection F. lia.
        * intros a I'. apply in_map_iff in I' as ((b & j) & <- & I'). apply in_prod_iff in I'.
          rewrite !in_range in I'. cbn. lia.
      + apply sum_range_ext. intros t Ht. unfold lift_waiting. rewrite attend_copying; [|cbn; lia|apply positions|lia|].
        * rewrite sum_map. 
          assert (E : forall r, (r < R)%nat -> embedded (sides_model Ls off) p (t + 1) (Relation r)
            == if (rs t =? r)%nat then 1 else 0).
          { intros r _. rewrite entered by trivial. cbn [left_side one_hot]. rewrite off_subjects.
            replace (N + tok t - N)%nat with (tok t) by lia. rewrite letters. ring. }
          rewrite (sum_range_one R (rs t)); [|trivial|].
          -- rewrite E, Nat.eqb_refl by trivial. destruct c; ring.
          -- intros r Hr D. rewrite E, (proj2 (Nat.eqb_neq (rs t) r)) by congruence. ring.
        * intros a I'. apply in_map_iff in I' as (r & <- & I'). now apply in_range in I'.
  Qed.

  Let no_letters c : left_side (N + tok (k - 1)) c + one_hot k c
    == match c with Block _ _ => 0 | _ => left_side (N + tok (k - 1)) c + one_hot k c end.
  Proof. destruct c; try reflexivity. cbn [left_side one_hot]. rewrite off_subjects. cbn [andb]. ring. Qed.

  Let sign e j : (j < m)%nat -> -(1) <= u e j <= 1.
  Proof. intro J. destruct (u_signs e j J) as [->| ->]; lra. Qed.

  Section Attended.
    Variables (Ls : list Layer) (off : nat).
    Let x := attended S side_heads (embedded (sides_model Ls off) p) k.

    Let at_block b j : (b < A)%nat -> (j < m)%nat -> x (Block b j) == u (held L b s) j + 2 * gate * matched k rs L b.
    Proof.
      intros Hb J. unfold x. rewrite attention_reads, no_letters by (cbn; lia). apply Nat.ltb_lt in Hb as ->.
      unfold matched. rewrite <- sum_scale.
      rewrite (sum_range_ext k (fun t => 2 * gate * _) (fun t => if true && waits L b t (rs t) then 2 * gate else 0))
        by (intros t _; cbn [andb]; destruct (waits L b t (rs t)); ring). ring.
    Qed.

    Lemma at_empty b j : (A <= b < blocks)%nat -> (j < m)%nat -> x (Block b j) == 0.
    Proof.
      intros Hb J. unfold x. rewrite attention_reads, no_letters by (cbn; lia).
      rewrite (proj2 (Nat.ltb_ge b A)) by lia. cbn [andb]. rewrite sum_0; [ring|reflexivity].
    Qed.

    Lemma at_gate v : (v < B)%nat -> x (Asked v) == 2 * gate * matched k rs X v.
    Proof.
      intro Hv. unfold x. rewrite attention_reads by exact Hv. cbn [left_side one_hot].
      unfold matched. rewrite <- sum_scale.
      rewrite (sum_range_ext k (fun t => 2 * gate * _) (fun t => if waits X v t (rs t) then 2 * gate else 0))
        by (intros t _; destruct (waits X v t (rs t)); ring). ring.
    Qed.

    Lemma block_lifted j : (j < m)%nat -> -(1) <= u z j /\ x (Block w0 j) == u z j + 1 + all_letters (conditions L).
    Proof.
      destruct lifts_left as (Hw & E & _). intro J. split; [now apply sign|].
      rewrite at_block, E by trivial. unfold all_letters, z. ring.
    Qed.

    Lemma block_high w j : (w < A)%nat -> (j < m)%nat -> -(1) <= x (Block w j).
    Proof.
      intros Hw J. rewrite at_block by trivial. pose proof (sign (held L w s) j J). pose proof (matched_positive k rs L w). nra.
    Qed.

    Lemma twice c d : c <= d - 1 -> 2 * gate * c <= 2 * gate * d - 2.
    Proof. intro H. nra. Qed.

    Lemma block_low w j : (w < A)%nat -> (j < m)%nat -> w <> w0 -> x (Block w j) <= all_letters (conditions L).
    Proof.
      destruct lifts_left as (_ & _ & F). intros Hw J D. rewrite at_block by trivial.
      pose proof (twice _ _ (F w Hw D)). pose proof (sign (held L w s) j J). unfold all_letters. lra.
    Qed.

    Lemma gate_lifted : x (Asked v0) == 1 + all_letters (conditions X).
    Proof. destruct lifts_right as (Hv & E & _). rewrite at_gate, E by trivial. unfold all_letters. ring. Qed.

    Lemma gate_low v : (v < B)%nat -> v <> v0 -> x (Asked v) <= all_letters (conditions X) - 1.
    Proof.
      destruct lifts_right as (_ & _ & F). intros Hv D. rewrite at_gate by trivial.
      pose proof (twice _ _ (F v Hv D)). unfold all_letters. lra.
    Qed.
  End Attended.

  (** ** The margin is twice the distance from the word of the entity in the middle to another *)

  Let reads f off a : (off + B <= blocks)%nat ->
    (forall v j, (v < B)%nat -> (j < m)%nat -> f (Block (off + v) j) == if (v =? v0)%nat then u z j else 0) ->
    times S f (right_side off) a == Σ j ∈ range m, (u z j * u (held X v0 a) j).
  Proof.
    destruct lifts_right as (Hv & _). intros H F. unfold right_side.
    rewrite (sum_each_block S f (fun a b j => if (off <=? b)%nat && (b <? off + B)%nat then u (held X (b - off) a) j else 0)).
    cbn [n_blocks word_length S stream_of_sides]. rewrite (sum_range_one blocks (off + v0)).
    - apply sum_range_ext. intros j J. rewrite F, Nat.eqb_refl by trivial. replace (off + v0 - off)%nat with v0 by lia.
      rewrite (proj2 (Nat.leb_le off (off + v0))), (proj2 (Nat.ltb_lt (off + v0) (off + B))) by (fold B in Hv; lia).
      reflexivity.
    - fold B in Hv. lia.
    - intros b Hb D. apply sum_range_0. intros j J.
      destruct (Nat.leb_spec off b) as [H1|H1]; [|cbn [andb]; ring].
      destruct (Nat.ltb_spec b (off + B)) as [H2|H2]; [|cbn [andb]; ring].
      replace b with (off + (b - off))%nat at 1 by lia. rewrite F by lia.
      rewrite (proj2 (Nat.eqb_neq (b - off) v0)) by lia. ring.
  Qed.

  Let margin Ls off y b : (off + B <= blocks)%nat -> held X v0 y = z ->
    (forall v j, (v < B)%nat -> (j < m)%nat ->
      residual (sides_model Ls off) p k (Block (off + v) j) == if (v =? v0)%nat then u z j else 0) ->
    logit (sides_model Ls off) p y - logit (sides_model Ls off) p b == 2 * whole (distance m u z (held X v0 b)).
  Proof.
    intros H E F. unfold logit, p. rewrite prompt_length by trivial. replace (k + 1 - 1)%nat with k by lia. fold p.
    cbn [stream sides_model W_U b_U]. fold S. rewrite !reads by trivial. rewrite E.
    pose proof (product S u u_signs) as P. change (word_length S) with m in P. rewrite !P, distance_self. change (whole 0) with 0. ring.
  Qed.

  (** Depth 2, d_model = max(A, B) m + R + k + 1 + B: both sides share the blocks. *)
  Theorem two_sided_shared y b : (B <= blocks)%nat -> held X v0 y = z ->
    let M := sides_model shared_layers 0 in
    logit M p y - logit M p b == 2 * whole (distance m u z (held X v0 b)).
  Proof.
    destruct lifts_left as (Hw & _), lifts_right as (Hv & _). fold A in Hw. fold B in Hv.
    intros H E. cbv zeta. apply margin; trivial. clear y b E. intros v j Wv J.
    unfold residual. cbn [layers stream sides_model shared_layers fold_left]. fold S.
    set (x := attended S side_heads (embedded (sides_model shared_layers 0) p) k). set (layer := mkLayer side_heads _).
    assert (Y : forall c, inside S c -> run S layer (embedded (sides_model shared_layers 0) p) k c
      == match c with Block 0 j => u z j | Block _ _ => 0 | _ => x c end).
    { intros c I. unfold run. cbn [mlp heads layer]. fold x. rewrite applied_beside.
      rewrite (selects_first S m x (u z) eq_refl A (all_letters (conditions L)) w0); trivial; [|apply block_lifted|apply block_low].
      destruct c as [b i|i|i|i|r|r|t]; try (rewrite erasing_elsewhere by discriminate; ring).
      cbn in I. destruct (Nat.ltb_spec b A) as [Hb|Hb].
      - rewrite (erases S A m (-(1))); cbn; try lia; [destruct b; ring|]. now apply block_high.
      - rewrite erasing_spares by trivial. destruct b; [lia|]. rewrite (at_empty shared_layers 0 : forall b i, _ -> _ -> x (Block b i) == 0) by lia. ring. }
    set (y := attended S [] (run S layer (embedded (sides_model shared_layers 0) p)) k).
    assert (Z : forall c, inside S c -> y c == match c with Block 0 j => u z j | Block _ _ => 0 | _ => x c end).
    { intros c I. unfold y, attended. cbn [sum]. rewrite Y by trivial. ring. }
    assert (In : forall b i, (b < blocks)%nat -> (i < m)%nat -> inside S (Block b i)) by (cbn; lia).
    unfold run at 1. cbn [mlp heads]. fold y. rewrite applied_beside.
    assert (U : forall i, (i < m)%nat -> -(1) <= u z i <= 1) by (intros; now apply sign).
    pose proof (outputs S m y (u z) eq_refl 1 B 0 (all_letters (conditions X)) (all_letters (conditions X)) 0 v0 v j) as O.
    cbn [plus] in O. cbn [plus]. rewrite O; trivial; try (cbn; lia).
    - destruct v as [|v].
      + rewrite (erases S 1 m (-(1))); cbn; try lia; [ring|]. rewrite Z by (apply In; lia). now apply U.
      + rewrite erasing_spares, Z by (apply In || idtac; lia). ring.
    - intros i I. rewrite !Z by (trivial; apply In || exact Hv; lia). split; [now apply U|].
      rewrite (gate_lifted shared_layers 0 : x (Asked v0) == _). ring.
    - intros w v' i Hw' Hv' I D. assert (w = 0)%nat as -> by lia. rewrite !Z by (trivial; apply In || exact Hv'; lia).
      assert (v' <> v0) as D' by lia. pose proof (gate_low shared_layers 0 v' Hv' D' : x (Asked v') <= _). specialize (U i I). lra.
    - rewrite Z by exact Hv. apply gate_lifted.
    - intros v' Hv' D. rewrite Z by exact Hv'. pose proof (gate_low shared_layers 0 v' Hv' D : x (Asked v') <= _). lra.
  Qed.

  (** Depth 1, d_model = (A + B) m + R + k + 1 + B: output blocks of their own. *)
  Theorem two_sided_merged y b : (A + B <= blocks)%nat -> held X v0 y = z ->
    let M := sides_model merged_layers A in
    logit M p y - logit M p b == 2 * whole (distance m u z (held X v0 b)).
  Proof.
    destruct lifts_left as (Hw & _), lifts_right as (Hv & _). fold A in Hw. fold B in Hv.
    intros H E. cbv zeta. apply margin; trivial. clear y b E. intros v j Wv J.
    unfold residual. cbn [layers stream sides_model merged_layers fold_left]. fold S.
    unfold run. cbn [mlp heads]. set (x := attended S side_heads (embedded (sides_model merged_layers A) p) k).
    assert (T : all_letters (conditions L + conditions X) == all_letters (conditions L) + all_letters (conditions X) + 1).
    { unfold all_letters. enough (whole (conditions L + conditions X) == whole (conditions L) + whole (conditions X)) by nra.
      unfold whole. now rewrite Nat2Z.inj_add, inject_Z_plus. }
    rewrite (outputs S m x (u z) eq_refl A B A _ _ w0 v0 v j); trivial; try (cbn; lia).
    - rewrite (at_empty merged_layers A : forall b i, _ -> _ -> x (Block b i) == 0) by lia. ring.
    - intros i I. split; [now apply sign|]. rewrite T. pose proof (block_lifted merged_layers A i I : _ /\ x (Block w0 i) == _).
      pose proof (gate_lifted merged_layers A : x (Asked v0) == _). lra.
    - intros w v' i Hw' Hv' I D. rewrite T.
      assert (G : x (Asked v') <= 1 + all_letters (conditions X)).
      { destruct (Nat.eq_dec v' v0) as [->|D']; [rewrite (gate_lifted merged_layers A : x (Asked v0) == _); lra|].
        pose proof (gate_low merged_layers A v' Hv' D' : x (Asked v') <= _). lra. }
      destruct (Nat.eq_dec w w0) as [->|D'].
      + pose proof (block_lifted merged_layers A i I : _ /\ x (Block w0 i) == _).
        assert (v' <> v0) as D'' by tauto. pose proof (gate_low merged_layers A v' Hv' D'' : x (Asked v') <= _).
        pose proof (sign z i I). lra.
      + pose proof (block_low merged_layers A w i Hw' I D' : x (Block w i) <= _). lra.
    - apply (gate_lifted merged_layers A).
    - intros v' Hv' D. pose proof (gate_low merged_layers A v' Hv' D : x (Asked v') <= _). lra.
  Qed.
End TwoSided.

(** * Sides of strings of letters *)

Lemma seq_from a l : map (plus a) (seq 0 l) = seq a l.
Proof. induction a as [|a IH]; [apply map_id|]. rewrite <- seq_shift, <- IH, map_map. now apply map_ext. Qed.

Section Sides.
  Variables (N R k : nat) (pi back : nat -> nat -> nat -> nat).

  (** From where string v of l letters, hop a first, leads to y. *)
  Fixpoint unwalk (a l v y : nat) : nat :=
    match l with O => y | S l => back a (v / R ^ l) (unwalk (a + 1) l (v mod R ^ l) y) end.

  Definition window (a l w t r : nat) : bool := (a <=? t)%nat && (t <? a + l)%nat && (digit R l w (t - a) =? r)%nat.

  Definition prefixes (a : nat) : Side := mkSide (R ^ a) (walk R pi 0 a) (window 0 a) a.
  Definition suffixes (a b : nat) : Side := mkSide (R ^ b) (unwalk a b) (window a b) b.

  (** The middle letter decides: n_left relations of hop q + 1 are kept on the left, the others on the right. *)
  Definition middle_left (q n_left : nat) : Side := mkSide (n_left * R ^ q)
    (fun b s => pi q (b / R ^ q) (walk R pi 0 q (b mod R ^ q) s))
    (fun b t r => if (t =? q)%nat then if (b / R ^ q =? 0)%nat then (r =? 0)%nat || (n_left <=? r)%nat else (b / R ^ q =? r)%nat
      else window 0 q (b mod R ^ q) t r)
    (q + 1).

  Definition middle_right (q n_left : nat) : Side := mkSide ((1 + (R - n_left)) * R ^ q)
    (fun b y => let x := unwalk (q + 1) q (b mod R ^ q) y in
      if (b / R ^ q =? 0)%nat then x else pi q 0%nat (back q (n_left + b / R ^ q - 1) x))
    (fun b t r => if (t =? q)%nat then if (b / R ^ q =? 0)%nat then (r <? n_left)%nat else (n_left + b / R ^ q - 1 =? r)%nat
      else window (q + 1) q (b mod R ^ q) t r)
    (q + 1).

  Variable rs : nat -> nat.
  Hypothesis relations : forall t, (rs t < R)%nat.

  Lemma in_window a l w : (a + l <= k)%nat ->
    Σ t ∈ range k, (if window a l w t (rs t) then 1 else 0) == matches R rs a l w.
  Proof.
    intro H. unfold range. replace k with (a + (l + (k - a - l)))%nat by lia. rewrite !seq_app, !sum_app. cbn [plus].
    rewrite (sum_0 (seq 0 a)), (sum_0 (seq (a + l) _)).
    - rewrite <- seq_from, sum_map. unfold matches, range.
      rewrite (sum_ext (seq 0 l) _ (fun h => if (digit R l w h =? rs (a + h))%nat then 1 else 0)); [ring|].
      intros h I. apply in_seq in I. unfold window. replace (a + h - a)%nat with h by lia.
      now rewrite (proj2 (Nat.leb_le a (a + h))), (proj2 (Nat.ltb_lt (a + h) (a + l))) by lia.
    - intros t I. apply in_seq in I. unfold window. rewrite (proj2 (Nat.ltb_ge t (a + l))) by lia. rewrite andb_false_r. reflexivity.
    - intros t I. apply in_seq in I. unfold window. now rewrite (proj2 (Nat.leb_gt a t)) by lia.
  Qed.

  Lemma window_lifts a l f : (a + l <= k)%nat -> lifts k rs (mkSide (R ^ l) f (window a l) l) (number R rs a l).
  Proof.
    intro H. unfold lifts, matched. cbn [n_held waits conditions]. rewrite in_window by trivial. split; [|split].
    - now apply number_small.
    - now apply matches_all.
    - intros c Hc D. rewrite in_window by trivial. now apply matches_fewer.
  Qed.

  (** A letter and a string of others: the block is the one of that string and of what the letter says. *)
  Lemma middle_lifts q n f (at_middle : nat -> nat -> bool) a w0 : (a + q <= k)%nat -> (q < k)%nat ->
    (q < a \/ a + q <= q)%nat -> (w0 < n)%nat ->
    (forall w, (w < n)%nat -> at_middle w (rs q) = true <-> w = w0) ->
    lifts k rs (mkSide (n * R ^ q) f
      (fun b t r => if (t =? q)%nat then at_middle (b / R ^ q)%nat r else window a q (b mod R ^ q) t r) (q + 1))
      (w0 * R ^ q + number R rs a q).
  Proof.
    intros H Hq Away Hw At. pose proof (number_small R rs a q relations) as Small.
    assert (P : (R ^ q <> 0)%nat) by lia.
    assert (E : forall b, Σ t ∈ range k, (if (if (t =? q)%nat then at_middle (b / R ^ q)%nat (rs t) else window a q (b mod R ^ q) t (rs t)) then 1 else 0)
      == matches R rs a q (b mod R ^ q) + if at_middle (b / R ^ q)%nat (rs q) then 1 else 0).
    { intro b. rewrite <- in_window by trivial.
      transitivity (Σ t ∈ range k, ((if window a q (b mod R ^ q) t (rs t) then 1 else 0)
        + (if (t =? q)%nat then if at_middle (b / R ^ q)%nat (rs q) then 1 else 0 else 0))).
      - apply sum_ext. intros t _. destruct (Nat.eqb_spec t q) as [->|]; [|ring].
        assert (window a q (b mod R ^ q) q (rs q) = false) as ->; [|ring]. unfold window.
        destruct Away as [F|F]; [now rewrite (proj2 (Nat.leb_gt a q)) by lia|].
        rewrite (proj2 (Nat.ltb_ge q (a + q))) by lia. now rewrite andb_false_r.
      - rewrite sum_plus, (sum_range_one k q (fun t => if (t =? q)%nat then _ else _)), Nat.eqb_refl; trivial; [reflexivity|].
        intros t _ D. now rewrite (proj2 (Nat.eqb_neq t q)). }
    unfold lifts, matched. cbn [n_held waits conditions]. rewrite Nat.add_1_r, !whole_S. split; [nia|split].
    - rewrite E. replace (w0 * R ^ q + number R rs a q)%nat with (number R rs a q + w0 * R ^ q)%nat by lia.
      rewrite Nat.mod_add, Nat.div_add, Nat.mod_small, Nat.div_small by trivial. cbn [plus].
      rewrite (proj2 (At w0 Hw)), matches_all by trivial. ring.
    - intros c Hc D. rewrite E, whole_S.
      assert (c / R ^ q < n)%nat by (apply Nat.div_lt_upper_bound; lia).
      pose proof (matches_most R rs a q (c mod R ^ q)).
      destruct (at_middle (c / R ^ q)%nat (rs q)) eqn:M; [|lra].
      apply At in M; trivial. enough (matches R rs a q (c mod R ^ q) <= whole q - 1) by lra.
      apply matches_fewer; trivial; [now apply Nat.mod_upper_bound|]. intro F. apply D.
      rewrite (Nat.div_mod c (R ^ q)) by trivial. lia.
  Qed.

  Hypothesis entities : forall t r e, (e < N)%nat -> (r < R)%nat -> (pi t r e < N)%nat.

  (** Relation r of hop t is a bijection, and back its inverse. *)
  Definition inverted (t r : nat) : Prop := forall e, (e < N)%nat ->
    (back t r e < N)%nat /\ back t r (pi t r e) = e /\ pi t r (back t r e) = e.

  Lemma unwalk_hop a l e : (forall t, (a <= t < a + l)%nat -> inverted t (rs t)) -> (e < N)%nat ->
    unwalk a l (number R rs a l) (hop pi rs a l e) = e.
  Proof.
    revert a e. induction l as [|l IH]; intros a e Inv He; [reflexivity|]. cbn [unwalk number hop].
    pose proof (number_small R rs (a + 1) l relations).
    rewrite Nat.div_add_l, (Nat.div_small (number _ _ _ _)), Nat.add_0_r by lia.
    replace (rs a * R ^ l + number R rs (a + 1) l)%nat with (number R rs (a + 1) l + rs a * R ^ l)%nat by lia.
    rewrite Nat.mod_add, Nat.mod_small, IH by (trivial; (intros; apply Inv; lia) || lia || now apply entities).
    apply (Inv a); lia.
  Qed.

  Lemma hop_unwalk a l e : (forall t, (a <= t < a + l)%nat -> inverted t (rs t)) -> (e < N)%nat ->
    (unwalk a l (number R rs a l) e < N)%nat /\ hop pi rs a l (unwalk a l (number R rs a l) e) = e.
  Proof.
    revert a e. induction l as [|l IH]; intros a e Inv He; [now split|]. cbn [unwalk number hop].
    pose proof (number_small R rs (a + 1) l relations).
    rewrite Nat.div_add_l, (Nat.div_small (number _ _ _ _)), Nat.add_0_r by lia.
    replace (rs a * R ^ l + number R rs (a + 1) l)%nat with (number R rs (a + 1) l + rs a * R ^ l)%nat by lia.
    rewrite Nat.mod_add, Nat.mod_small by (trivial; lia). destruct (IH (a + 1)%nat e) as [Lt E]; trivial.
    - intros. apply Inv. lia.
    - destruct (Inv a ltac:(lia) _ Lt) as (Lt' & _ & E'). split; [trivial|now rewrite E', E].
  Qed.

  Lemma middle_left_lifts q n : k = (2 * q + 1)%nat -> (0 < n <= R)%nat ->
    lifts k rs (middle_left q n) ((if (rs q <? n)%nat then rs q else 0) * R ^ q + number R rs 0 q).
  Proof.
    intros E Hn. apply (middle_lifts q n _ (fun w r => if (w =? 0)%nat then (r =? 0)%nat || (n <=? r)%nat else (w =? r)%nat));
      try lia; [destruct (Nat.ltb_spec (rs q) n); lia|].
    intros w Hw. destruct (Nat.eqb_spec w 0), (Nat.ltb_spec (rs q) n);
      rewrite ?orb_true_iff, ?Nat.eqb_eq, ?Nat.leb_le; lia.
  Qed.

  Lemma middle_right_lifts q n : k = (2 * q + 1)%nat -> (0 < n <= R)%nat ->
    lifts k rs (middle_right q n) ((if (rs q <? n)%nat then 0 else 1 + rs q - n) * R ^ q + number R rs (q + 1) q).
  Proof.
    intros E Hn. pose proof (relations q).
    apply (middle_lifts q _ _ (fun w r => if (w =? 0)%nat then (r <? n)%nat else (n + w - 1 =? r)%nat));
      try lia; [destruct (Nat.ltb_spec (rs q) n); lia|].
    intros w Hw. destruct (Nat.eqb_spec w 0), (Nat.ltb_spec (rs q) n);
      rewrite ?Nat.ltb_lt, ?Nat.eqb_eq; lia.
  Qed.
End Sides.

(** * C10: strings of first letters in W_E, strings of last letters in W_U; k = a + b, every margin exact *)

Section Queries.
  Variables (N R m k : nat) (u : nat -> nat -> Q) (gate : Q) (pi back : nat -> nat -> nat -> nat).
  Variables (rs tok : nat -> nat) (s : nat).
  Hypothesis u_signs : signs m u.
  Hypothesis gate_high : 1 <= gate.
  Hypothesis relations : forall t, (rs t < R)%nat.
  Hypothesis letters : forall t, (tok t mod R)%nat = rs t.
  Hypothesis subject : (s < N)%nat.
  Hypothesis hops : (0 < k)%nat.
  Hypothesis entities : forall t r e, (e < N)%nat -> (r < R)%nat -> (pi t r e < N)%nat.

  Let inverted := inverted N pi back.
  Let p := hops_prompt N k s tok.
  Let answer := hop pi rs 0 k s.

  Let reaches a l e : (e < N)%nat -> (hop pi rs a l e < N)%nat.
  Proof. intro H. now apply (hop_entity N R). Qed.

  (** The model of two sides, M = max(A, B) blocks shared (depth 2), or apart (depth 1). *)
  Definition shared (L X : Side) : Transformer :=
    sides_model N R m k (Nat.max (n_held L) (n_held X)) u L X (shared_layers R m k gate L X) 0.
  Definition merged (L X : Side) : Transformer :=
    sides_model N R m k (n_held L + n_held X) u L X (merged_layers R m k gate L X) (n_held L).

  Definition gauged (sigma : nat -> nat) (X : Side) : Side :=
    mkSide (n_held X) (fun b e => sigma (held X b e)) (waits X) (conditions X).

  Let both L X w0 v0 b M : lifts k rs L w0 -> lifts k rs X v0 -> held X v0 answer = held L w0 s ->
    M = shared L X \/ M = merged L X ->
    logit M p answer - logit M p b == 2 * whole (distance m u (held L w0 s) (held X v0 b)).
  Proof.
    intros HL HX E [-> | ->]; [apply (two_sided_shared N R m k _ u gate L X u_signs gate_high) with (rs := rs)
      |apply (two_sided_merged N R m k _ u gate L X u_signs gate_high) with (rs := rs)]; trivial; lia.
  Qed.

  (** The entity in the middle is reached by the first a letters; the last b lead from it to the answer. *)
  Theorem two_sided_strings a b M c : (a + b = k)%nat -> (forall t r, (a <= t < k)%nat -> (r < R)%nat -> inverted t r) ->
    M = shared (prefixes R pi a) (suffixes R back a b) \/ M = merged (prefixes R pi a) (suffixes R back a b) ->
    logit M p answer - logit M p c
      == 2 * whole (distance m u (hop pi rs 0 a s) (unwalk R back a b (number R rs a b) c)).
  Proof.
    intros E Inv H. rewrite (both (prefixes R pi a) (suffixes R back a b) (number R rs 0 a) (number R rs a b) c M); trivial.
    - cbn [held prefixes suffixes]. now rewrite walk_number.
    - apply window_lifts; trivial. lia.
    - apply window_lifts; trivial. lia.
    - cbn [held prefixes suffixes]. rewrite walk_number by trivial. unfold answer. rewrite <- E, hop_add.
      cbn [plus]. apply (unwalk_hop N R pi); auto. intros t Ht. apply Inv; trivial. lia.
  Qed.

  (** k = 2 q + 1, the middle letter decides: n of its relations on the left, the others on the right. *)
  Definition middle (q n : nat) : nat := pi q (if (rs q <? n)%nat then rs q else 0) (hop pi rs 0 q s).
  Definition from (q n c : nat) : nat :=
    let x := unwalk R back (q + 1) q (number R rs (q + 1) q) c in
    if (rs q <? n)%nat then x else pi q 0%nat (back q (rs q) x).

  Theorem two_sided_middle q n M c : k = (2 * q + 1)%nat -> (0 < n <= R)%nat ->
    (forall t r, (q < t < k)%nat -> (r < R)%nat -> inverted t r) -> (forall r, (n <= r < R)%nat -> inverted q r) ->
    M = shared (middle_left R pi q n) (middle_right R pi back q n) \/
    M = merged (middle_left R pi q n) (middle_right R pi back q n) ->
    logit M p answer - logit M p c == 2 * whole (distance m u (middle q n) (from q n c)).
  Proof.
    intros E Hn Inv Mid H. pose proof (number_small R rs 0 q relations) as Sl.
    pose proof (number_small R rs (q + 1) q relations) as Sr. assert (P : (R ^ q <> 0)%nat) by lia.
    set (w := (if (rs q <? n)%nat then rs q else 0)%nat). set (v := (if (rs q <? n)%nat then 0 else 1 + rs q - n)%nat).
    assert (HL : held (middle_left R pi q n) (w * R ^ q + number R rs 0 q) s = middle q n).
    { cbn [held middle_left]. rewrite Nat.div_add_l, Nat.div_small, Nat.add_0_r by trivial.
      rewrite (Nat.add_comm (w * _)), Nat.mod_add, Nat.mod_small, walk_number by trivial. reflexivity. }
    assert (HX : forall c, held (middle_right R pi back q n) (v * R ^ q + number R rs (q + 1) q) c = from q n c).
    { intro c'. cbn [held middle_right]. rewrite Nat.div_add_l, Nat.div_small, Nat.add_0_r by trivial.
      rewrite (Nat.add_comm (v * _)), Nat.mod_add, Nat.mod_small by trivial. unfold from, v.
      destruct (Nat.ltb_spec (rs q) n); [reflexivity|]. rewrite (proj2 (Nat.eqb_neq _ 0)) by lia.
      now replace (n + (1 + rs q - n) - 1)%nat with (rs q) by lia. }
    rewrite (both (middle_left R pi q n) (middle_right R pi back q n) (w * R ^ q + number R rs 0 q) (v * R ^ q + number R rs (q + 1) q) c M); trivial.
    - now rewrite HL, HX.
    - now apply (middle_left_lifts R k pi).
    - now apply (middle_right_lifts R k pi back).
    - rewrite HL, HX. unfold from, middle, answer. rewrite E. replace (2 * q + 1)%nat with (q + (1 + q))%nat by lia.
      rewrite !hop_add. cbn [plus hop]. rewrite (unwalk_hop N R pi); trivial.
      + destruct (Nat.ltb_spec (rs q) n); [reflexivity|]. f_equal. apply Mid; auto.
      + intros t Ht. apply Inv; trivial. lia.
      + apply entities; auto.
  Qed.

  (** In every gauge: both sides hold sigma of the entity. *)
  Corollary two_sided_gauge sigma L X w0 v0 M c : lifts k rs L w0 -> lifts k rs X v0 -> held X v0 answer = held L w0 s ->
    M = shared (gauged sigma L) (gauged sigma X) \/ M = merged (gauged sigma L) (gauged sigma X) ->
    logit M p answer - logit M p c == 2 * whole (distance m u (sigma (held L w0 s)) (sigma (held X v0 c))).
  Proof.
    intros HL HX E. apply (both (gauged sigma L) (gauged sigma X) w0 v0 c M); trivial. cbn [held gauged]. now rewrite E.
  Qed.

  (** ** Words that differ: every wrong answer loses by 2 at least *)

  Hypothesis words_differ : forall a b, (a < N)%nat -> (b < N)%nat -> a <> b -> (1 <= distance m u a b)%nat.

  Let apart z e : (z < N)%nat -> (e < N)%nat -> z <> e -> 2 <= 2 * whole (distance m u z e).
  Proof.
    intros Hz He D. specialize (words_differ z e Hz He D).
    enough (1 <= whole (distance m u z e)) by lra. unfold whole. change 1 with (inject_Z 1). rewrite <- Zle_Qle. lia.
  Qed.

  Corollary two_sided_recalls a b M c : (a + b = k)%nat -> (forall t r, (a <= t < k)%nat -> (r < R)%nat -> inverted t r) ->
    (c < N)%nat -> c <> answer ->
    M = shared (prefixes R pi a) (suffixes R back a b) \/ M = merged (prefixes R pi a) (suffixes R back a b) ->
    2 <= logit M p answer - logit M p c.
  Proof.
    intros E Inv Hc D H. rewrite (two_sided_strings a b M c E Inv H).
    destruct (hop_unwalk N R pi back rs relations a b c) as [Lt F]; trivial; [intros t Ht; apply Inv; trivial; lia|].
    apply apart; trivial; [now apply reaches|]. intro G. apply D. rewrite <- F, <- G. unfold answer.
    now rewrite <- E, hop_add.
  Qed.

  (** The relation whose blocks the right letters lift, the first, must be a bijection as well. *)
  Corollary two_sided_middle_recalls q n M c : k = (2 * q + 1)%nat -> (0 < n <= R)%nat ->
    (forall t r, (q < t < k)%nat -> (r < R)%nat -> inverted t r) -> (forall r, (n <= r < R)%nat -> inverted q r) -> ((n < R)%nat -> inverted q 0) ->
    (c < N)%nat -> c <> answer ->
    M = shared (middle_left R pi q n) (middle_right R pi back q n) \/
    M = merged (middle_left R pi q n) (middle_right R pi back q n) ->
    2 <= logit M p answer - logit M p c.
  Proof.
    intros E Hn Inv Mid First Hc D H. rewrite (two_sided_middle q n M c E Hn Inv Mid H).
    destruct (hop_unwalk N R pi back rs relations (q + 1) q c) as [Lt F]; trivial; [intros t Ht; apply Inv; trivial; lia|].
    pose proof (reaches 0 q s subject) as Le. pose proof (relations q) as Hr.
    unfold middle, from. set (x := unwalk _ _ _ _ _ _) in *. set (e := hop pi rs 0 q s) in *.
    assert (G : x <> pi q (rs q) e).
    { intro G. apply D. rewrite <- F, G. unfold answer, e. rewrite E. replace (2 * q + 1)%nat with (q + (1 + q))%nat by lia.
      now rewrite !hop_add. }
    destruct (Nat.ltb_spec (rs q) n); [apply apart; auto|].
    destruct (Mid (rs q) ltac:(lia) x Lt) as (Lt' & _ & Ex).
    apply apart; try (apply entities; trivial; lia). intro G'. apply G.
    destruct (First ltac:(lia) _ Lt') as (_ & E1 & _), (First ltac:(lia) _ Le) as (_ & E2 & _). congruence.
  Qed.
End Queries.
