(** C5(b), merged: one layer per hop. Neuron (r, x) fires where relation r is asked for and block r holds u(x). *)

From Georecall Require Import transformer single_hop hops.

Section Merged.
  Variables (N R m k : nat) (pi : nat -> nat -> nat -> nat) (v : nat -> nat -> Q) (gate : Q) (bias : nat -> Q).
  Hypothesis v_signs : signs m v.
  Hypothesis gate_high : 1 <= gate.
  Hypothesis words_differ : forall a b, (a < N)%nat -> (b < N)%nat -> a <> b -> (1 <= distance m v a b)%nat.
  Hypothesis entities : forall t r e, (e < N)%nat -> (r < R)%nat -> (pi t r e < N)%nat.
  Hypothesis unbiased : nearest m v bias.

  Definition stream_of_merged : space := Space R m m 0 R R (k + 1).
  Let S := stream_of_merged.

  Definition first_hop (token : nat) : vector := fun c =>
    match c with
    | Block b j => if (token <? N)%nat then v (pi 0 b token) j else 0
    | Relation r => if (token <? N)%nat then 0 else if ((token - N) mod R =? r)%nat then 1 else 0
    | _ => 0
    end.

  (** Head t copies the letter asked for. *)
  Definition asking (t : nat) : Head :=
    copying k (t + 1) (map Relation (range R)) (fun a c =>
      match a, c with Relation r, Asked r' => if (r =? r')%nat then 1 else 0 | _, _ => 0 end).

  Definition hop_heads (t : nat) : list Head := (if (t =? 0)%nat then [copy_subject m k R] else []) ++ [asking t].

  Definition merged_memory (next : nat -> nat -> nat) : MLP :=
    mkMLP _ (list_prod (range R) (range N))
      (fun c n => (match c with Block b j => if (b =? fst n)%nat then v (snd n) j else 0 | _ => 0 end)
                  + (if same c (Asked (fst n)) then 1 else 0))
      (fun _ => - whole m)
      (fun n c => match c with Block b j => if (b <? R)%nat then v (next b (snd n)) j else 0 | _ => 0 end)
      (fun _ => 0).

  Definition erasing_asked : MLP :=
    mkMLP _ (range R) (fun c r => if same c (Asked r) then 1 else 0) (fun _ => 0)
      (fun r c => if same c (Asked r) then -(1) else 0) (fun _ => 0).

  (** C1's selector, its block lifted by the letter asked for. *)
  Definition select_asked : MLP :=
    mkMLP _ (block_neurons R m)
      (fun c n => (if same c (Block (fst n) (snd n)) then 1 else 0) + (if same c (Asked (fst n)) then 2 * gate else 0))
      (fun _ => - (2 * gate + -(1)))
      (fun n c => if same c (Readout (snd n)) then 1 else 0)
      (fun c => match c with Readout _ => -(1) | _ => 0 end).

  Definition merged_hop (t : nat) : Layer :=
    mkLayer (hop_heads t) (Some (beside (silenced (whole m) (merged_memory (pi (t + 1)))) (beside (erasing R m (-(1))) erasing_asked))).
  Definition last_hop (t : nat) : Layer := mkLayer (hop_heads t) (Some (silenced 1 select_asked)).

  Definition merged_layers : list Layer := map merged_hop (range (k - 1)) ++ [last_hop (k - 1)].
  Definition merged : Transformer := mkTransformer S first_hop one_hot merged_layers (read_readout v) bias.

  (** ** Neurons *)

  Let sees x (w : Q) r j : (r < R)%nat -> (j < m)%nat ->
    Σ c ∈ directions S, (x c * ((if same c (Block r j) then 1 else 0) + (if same c (Asked r) then w else 0)))
      == x (Block r j) + x (Asked r) * w.
  Proof.
    intros Hr J. rewrite (sum_ext _ _ (fun c => x c * (if same c (Block r j) then 1 else 0) + x c * (if same c (Asked r) then w else 0)))
      by (intros; ring). rewrite sum_plus, !read by (cbn; lia). ring.
  Qed.

  Lemma merged_remembers x next r e c : (r < R)%nat -> (e < N)%nat -> (forall j, (j < m)%nat -> x (Block r j) == v e j) ->
    (forall b, (b < R)%nat -> exists e', (e' < N)%nat /\ forall j, (j < m)%nat -> x (Block b j) == v e' j) ->
    (forall b, (b < R)%nat -> x (Asked b) == if (r =? b)%nat then 1 else 0) ->
    applied S (merged_memory next) x c
      == x c + match c with Block b j => if (b <? R)%nat then v (next b e) j else 0 | _ => 0 end.
  Proof.
    intros Hr He Word Words Asks. unfold applied. cbn [neuron neurons merged_memory W_in W_out b_in b_out].
    rewrite sum_pairs. cbn [fst snd]. apply Qplus_comp; [reflexivity|].
    assert (T : forall b a f, (b < R)%nat -> (forall j, (j < m)%nat -> x (Block b j) == v f j) ->
      times S x (W_in (merged_memory next)) (b, a) == whole m - 2 * whole (distance m v f a) + if (r =? b)%nat then 1 else 0).
    { intros b a f Hb F. unfold times. cbn [merged_memory W_in fst snd].
      rewrite (sum_ext _ _ (fun c => x c * (match c with Block b' j => if (b' =? b)%nat then v a j else 0 | _ => 0 end)
        + x c * (if same c (Asked b) then 1 else 0))) by (intros; ring).
      rewrite sum_plus, read, (Asks b Hb) by exact Hb.
      rewrite (sum_each_block S x (fun a b' j => if (b' =? b)%nat then v a j else 0) a : Σ c ∈ directions S, _ == _).
      cbn [n_blocks word_length S stream_of_merged]. rewrite (sum_range_one R b), Nat.eqb_refl; trivial.
      - pose proof (product S v v_signs f a) as P. change (word_length S) with m in P. rewrite <- P.
        rewrite (sum_range_ext m _ (fun j => v f j * v a j)); [ring|]. intros j J. now rewrite F.
      - intros b' _ D. apply sum_range_0. intros j _. rewrite (proj2 (Nat.eqb_neq b' b) D). ring. }
    cbn [merged_memory W_in] in T. rewrite (sum_range_one R r), (sum_range_one N e); trivial.
    - rewrite (T r e e), distance_self, Nat.eqb_refl by trivial. change (whole 0) with 0. rewrite relu_on by lra. ring.
    - intros a Ha D. rewrite (T r a e), Nat.eqb_refl by trivial. specialize (words_differ e a He Ha (not_eq_sym D)).
      assert (1 <= whole (distance m v e a)) by (unfold whole; change 1 with (inject_Z 1); rewrite <- Zle_Qle; lia).
      rewrite relu_off by lra. ring.
    - intros b Hb D. apply sum_range_0. intros a Ha. destruct (Words b Hb) as (f & _ & F).
      rewrite (T b a f), (proj2 (Nat.eqb_neq r b)) by (trivial; congruence).
      assert (0 <= whole (distance m v f a)) by (unfold whole; change 0 with (inject_Z 0); rewrite <- Zle_Qle; lia).
      rewrite relu_off by lra. ring.
  Qed.

  Lemma erases_asked x c : (forall r, (r < R)%nat -> 0 <= x (Asked r)) -> inside S c ->
    applied S erasing_asked x c == match c with Asked _ => 0 | _ => x c end.
  Proof.
    intros P I. unfold applied. cbn [neuron neurons erasing_asked W_in W_out b_in b_out].
    destruct c as [b j|j|i|i|r|r|t]; try (rewrite sum_0; [ring|intros r' _; cbn [same]; ring]).
    rewrite (sum_range_one R r); [|exact I|].
    - unfold times. rewrite read, same_refl by exact I. specialize (P r I). rewrite relu_on by lra. ring.
    - intros r' _ D. destruct (same_spec (Asked r) (Asked r')); [congruence|ring].
  Qed.

  Lemma selects_asked x r j : (r < R)%nat -> (j < m)%nat -> (forall b i, (b < R)%nat -> (i < m)%nat -> -(1) <= x (Block b i) <= 1) ->
    (forall b, (b < R)%nat -> x (Asked b) == if (r =? b)%nat then 1 else 0) -> x (Readout j) == 0 ->
    applied S select_asked x (Readout j) == x (Block r j).
  Proof.
    intros Hr J Low Asks Z. unfold applied. cbn [neuron neurons select_asked W_in W_out b_in b_out].
    unfold block_neurons. rewrite sum_pairs, Z. cbn [fst snd].
    rewrite (sum_range_one R r), (sum_range_one m j); trivial.
    - unfold times. cbn [fst snd]. rewrite sees, Asks, Nat.eqb_refl, same_refl by trivial. specialize (Low r j Hr J).
      rewrite relu_on; lra.
    - intros i _ D. destruct (same_spec (Readout j) (Readout i)); [congruence|ring].
    - intros b Hb D. apply sum_range_0. intros i Hi. unfold times. cbn [fst snd]. rewrite sees, Asks by trivial.
      rewrite (proj2 (Nat.eqb_neq r b)) by congruence. specialize (Low b i Hb Hi). rewrite relu_off by lra. ring.
  Qed.

  (** ** From layer to layer *)

  Variables (rs tok : nat -> nat) (s : nat).
  Hypothesis relations : forall t, (rs t < R)%nat.
  Hypothesis letters : forall t, (tok t mod R)%nat = rs t.
  Hypothesis subject : (s < N)%nat.
  Hypothesis hops : (0 < k)%nat.

  (** Before layer t the state is the embedding of the entity reached, for hop t, and nothing is asked for. *)
  Definition reached (t e : nat) (x : nat -> vector) : Prop :=
    tagged R k rs x /\ (forall j, (j < m)%nat -> x k (Readout j) == 0) /\ (forall r, (r < R)%nat -> x k (Asked r) == 0) /\
    (forall b j, (b < R)%nat -> (j < m)%nat -> x k (Block b j) + (if (t =? 0)%nat then x 0%nat (Block b j) else 0) == v (pi t b e) j).

  Let sign e j : (j < m)%nat -> -(1) <= v e j <= 1.
  Proof. intro J. destruct (v_signs e j J) as [->| ->]; lra. Qed.

  Lemma merged_attends t e x : (t < k)%nat -> reached t e x -> forall c, inside S c ->
    attended S (hop_heads t) x k c == match c with
      | Block b j => v (pi t b e) j
      | Readout _ => 0
      | Asked r => if (rs t =? r)%nat then 1 else 0
      | _ => x k c
      end.
  Proof.
    intros Ht (T & Z & A & X) c I.
    assert (P : numbered k k x) by (intros i i' Hi; now apply T).
    assert (Ask : attend S (asking t) x k c == match c with Asked r => if (rs t =? r)%nat then 1 else 0 | _ => 0 end).
    { unfold asking. rewrite attend_copying; [|reflexivity|exact P|lia|].
      - rewrite sum_map. assert (E : forall r, (r < R)%nat -> x (t + 1)%nat (Relation r) == if (rs t =? r)%nat then 1 else 0).
        { intros r Hr. apply (proj2 (T (t + 1)%nat ltac:(lia)) t r eq_refl Hr). }
        rewrite (sum_range_one R (rs t)); [|trivial|].
        + rewrite E, Nat.eqb_refl by trivial. destruct c; ring.
        + intros r Hr D. rewrite E, (proj2 (Nat.eqb_neq (rs t) r)) by congruence. ring.
      - intros d Id. apply in_map_iff in Id as (r & <- & Ir). now apply in_range in Ir. }
    assert (Copy : Σ h ∈ (if (t =? 0)%nat then [copy_subject m k R] else []), (attend S h x k c)
      == match c with Block b j => if (t =? 0)%nat then x 0%nat (Block b j) else 0 | _ => 0 end).
    { destruct (t =? 0)%nat; [|destruct c; reflexivity]. rewrite sum_cons. cbn [sum]. unfold copy_subject.
      rewrite attend_copying; [|reflexivity|exact P|lia|].
      - destruct c as [b j|j|i|i|r|r|p]; try (rewrite sum_0; [ring|]; intros d Id;
          apply in_map_iff in Id as ((b', j') & <- & _); cbn; ring).
        rewrite (sum_one (Block b j)).
        + rewrite same_refl. ring.
        + apply FinFun.Injective_map_NoDup; [now intros [? ?] [? ?] [= -> ->]|]. apply NoDup_list_prod; apply seq_NoDup.
        + apply in_map_iff. exists (b, j). split; trivial. apply in_prod_iff. rewrite !in_range. exact I.
        + intros d _ D. destruct (same_spec d (Block b j)); [contradiction|ring].
      - intros d Id. apply in_map_iff in Id as ((b & j) & <- & Ib). apply in_prod_iff in Ib. rewrite !in_range in Ib. exact Ib. }
    unfold attended, hop_heads. rewrite sum_app, Copy, sum_cons, Ask. cbn [sum].
    destruct c as [b j|j|i|i|r|r|p]; cbn in I; try ring.
    - rewrite <- (X b j) by tauto. ring.
    - rewrite Z by exact I. ring.
    - rewrite A by exact I. ring.
  Qed.

  Let no_position t e x : (t < k)%nat -> reached t e x -> attended S (hop_heads t) x k (Position 0) == 0.
  Proof.
    intros Ht H. rewrite (merged_attends t e x Ht H) by (cbn; lia). destruct H as [T _].
    rewrite (proj1 (T k (le_n k)) 0%nat) by lia. now rewrite (proj2 (Nat.eqb_neq 0 k)) by lia.
  Qed.

  Let heads_write t h d c : In h (hop_heads t) -> In d (carried h) -> (forall b j, c <> Block b j) -> (forall r, c <> Asked r) ->
    W_O h d c == 0.
  Proof.
    intros I Id D D'. unfold hop_heads in I. apply in_app_iff in I as [I|[<-|[]]].
    - destruct (t =? 0)%nat; [|destruct I]. destruct I as [<-|[]]. apply in_map_iff in Id as ((b & j) & <- & _).
      cbn [W_O copy_subject copying fst snd]. destruct (same_spec (Block b j) c) as [<-|]; [now elim (D b j)|reflexivity].
    - apply in_map_iff in Id as (r & <- & _). cbn [W_O asking copying]. destruct c; try reflexivity. now elim (D' r0).
  Qed.

  Lemma merged_steps t e x : (t < k)%nat -> (e < N)%nat -> reached t e x ->
    reached (t + 1) (pi t (rs t) e) (run S (merged_hop t) x).
  Proof.
    intros Ht He H. pose proof (merged_attends t e x Ht H) as Y. set (y := attended S (hop_heads t) x k) in *.
    assert (W : forall c, inside S c -> run S (merged_hop t) x k c == match c with
      | Block b j => v (pi (t + 1) b (pi t (rs t) e)) j | Readout _ | Asked _ => 0 | _ => x k c end).
    { intros c I. unfold run. cbn [mlp heads merged_hop]. fold y.
      rewrite applied_beside, applied_silenced by (now apply (no_position t e) || (cbn; lia)).
      rewrite (merged_remembers y _ (rs t) (pi t (rs t) e)); trivial.
      - rewrite applied_beside, erases_asked by (trivial; intros r Hr; rewrite Y by exact Hr; destruct (rs t =? r)%nat; lra).
        destruct c as [b j|j|i|i|r|r|p]; try (rewrite erasing_elsewhere by discriminate; rewrite Y by exact I; ring).
        cbn in I. rewrite (erases S R m (-(1))); cbn [n_blocks word_length S stream_of_merged]; try lia.
        + rewrite (proj2 (Nat.ltb_lt b R)) by lia. ring.
        + rewrite Y by exact I. now apply sign.
      - now apply entities.
      - intros j J. now rewrite Y by (cbn; auto).
      - intros b Hb. exists (pi t b e). split; [now apply entities|]. intros j J. now rewrite Y by (cbn; auto).
      - intros b Hb. now rewrite Y by exact Hb. }
    split; [|split; [|split]].
    - destruct H as [T _]. intros i Hi. assert (E : forall c, (forall b j, c <> Block b j) -> (forall r, c <> Asked r) -> (forall j, c <> Readout j) ->
        run S (merged_hop t) x i c == x i c).
      { intros c D D' D''. apply untouched.
        - intros h I d Id. now apply (heads_write t h d c I Id).
        - intros f [= <-]. cbn [b_out beside silenced merged_memory erasing erasing_asked]. split.
          + destruct c; try ring. now elim (D b j).
          + intros n I. cbn [neurons beside] in I. apply in_app_iff in I as [I|I]; apply in_map_iff in I as (n' & <- & I');
              cbn [W_out beside silenced merged_memory].
            * destruct c; try reflexivity. now elim (D b j).
            * cbn [neurons beside] in I'. apply in_app_iff in I' as [I'|I']; apply in_map_iff in I' as (n2 & <- & _);
                cbn [W_out beside erasing erasing_asked].
              -- destruct (same_spec c (Block (fst n2) (snd n2))) as [->|]; [now elim (D (fst n2) (snd n2))|reflexivity].
              -- destruct (same_spec c (Asked n2)) as [->|]; [now elim (D' n2)|reflexivity]. }
      split; intros; rewrite E by discriminate; now apply T.
    - intros j J. now rewrite W by exact J.
    - intros r Hr. now rewrite W by exact Hr.
    - intros b j Hb J. rewrite W by (cbn; auto). rewrite (proj2 (Nat.eqb_neq (t + 1) 0)) by lia. ring.
  Qed.

  Lemma merged_through n : forall t e x, (t + n <= k - 1)%nat -> (e < N)%nat -> reached t e x ->
    (hop pi rs t n e < N)%nat /\ reached (t + n) (hop pi rs t n e) (fold_left (fun x L => run S L x) (map merged_hop (seq t n)) x).
  Proof.
    induction n as [|n IH]; intros t e x Hn He H; [rewrite Nat.add_0_r; now split|].
    cbn [seq map fold_left hop]. replace (t + Datatypes.S n)%nat with (t + 1 + n)%nat by lia.
    rewrite <- (Nat.add_1_r t). apply IH; [lia|now apply entities|]. apply merged_steps; trivial. lia.
  Qed.

  Lemma last_reads t e x j : (t < k)%nat -> reached t e x -> (j < m)%nat ->
    run S (last_hop t) x k (Readout j) == v (pi t (rs t) e) j.
  Proof.
    intros Ht H J. pose proof (merged_attends t e x Ht H) as Y. unfold run. cbn [mlp heads last_hop].
    rewrite applied_silenced by (now apply (no_position t e) || (cbn; lia)).
    rewrite (selects_asked _ (rs t)); trivial; intros; rewrite Y by (cbn; auto); try reflexivity; now apply sign.
  Qed.

  Let p := hops_prompt N k s tok.

  Lemma embedded_reached : reached 0 s (embedded merged p).
  Proof.
    assert (X0 : forall c, embedded merged p 0 c = first_hop s c + one_hot 0 c) by reflexivity.
    assert (Xt : forall t c, (t < k)%nat -> embedded merged p (t + 1) c = first_hop (N + tok t) c + one_hot (t + 1) c).
    { intros t c Ht. unfold embedded, p. now rewrite prompt_relation. }
    assert (Off : forall t, (N + tok t <? N)%nat = false) by (intro; apply Nat.ltb_ge; lia).
    assert (K : forall c, embedded merged p k c = first_hop (N + tok (k - 1)) c + one_hot k c).
    { intro c. replace k with (k - 1 + 1)%nat at 1 by lia. rewrite Xt by lia. now replace (k - 1 + 1)%nat with k by lia. }
    split; [|split; [|split]].
    - intros t Ht. split.
      + intros i Hi. destruct t as [|t]; [rewrite X0|rewrite <- Nat.add_1_r, Xt by lia]; cbn [first_hop one_hot]; ring.
      + intros h r -> Hr. rewrite Xt by lia. cbn [first_hop one_hot]. rewrite Off.
        replace (N + tok h - N)%nat with (tok h) by lia. rewrite letters. ring.
    - intros j _. rewrite K. cbn [first_hop one_hot]. ring.
    - intros r _. rewrite K. cbn [first_hop one_hot]. ring.
    - intros b j Hb J. rewrite K, X0. cbn [first_hop one_hot Nat.eqb]. rewrite Off.
      apply Nat.ltb_lt in subject as ->. ring.
  Qed.

  (** Depth k, the margin exact. *)
  Theorem merged_hops b : let y := hop pi rs 0 k s in
    logit merged p y - logit merged p b == squared_distance m v y b / 2.
  Proof.
    intro y. unfold logit, p. rewrite prompt_length by trivial. fold p. replace (k + 1 - 1)%nat with k by lia.
    cbn [stream merged W_U b_U]. unfold read_readout. fold S. rewrite !(sum_readout S _ v).
    cbn [n_readout S stream_of_merged]. apply nearest_neighbour; trivial. intros j J.
    unfold residual. cbn [layers stream merged]. fold S. unfold merged_layers, range. rewrite fold_left_app. cbn [fold_left].
    destruct (merged_through (k - 1) 0 s (embedded merged p)) as [_ H]; trivial; [apply embedded_reached|].
    cbn [plus] in H. rewrite (last_reads (k - 1) _ _ j ltac:(lia) H J).
    unfold y. replace k with (k - 1 + 1)%nat at 4 by lia. rewrite hop_add. reflexivity.
  Qed.
End Merged.
