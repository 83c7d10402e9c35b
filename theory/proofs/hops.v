(** C5: k hops in one forward pass on [s, r_1, ..., r_k], with hard attention.

    One theorem for composed (one stage), hybrid and sequential hops (k stages): a stage selects the block of the
    string of relations asked for and erases the state; a memory writes the embedding of the entity reached.
    Hop t follows pi t; untyped hops are the case that pi t is the same for every t. *)

From Georecall Require Import transformer single_hop.

(** * Strings of relations: the first letter is the most significant *)

Section Strings.
  Variable R : nat.

  Fixpoint digit (l w h : nat) : nat :=
    match l, h with
    | O, _ => O
    | S l, O => w / R ^ l
    | S l, S h => digit l (w mod R ^ l) h
    end.

  Fixpoint number (rs : nat -> nat) (a l : nat) : nat :=
    match l with O => O | S l => rs a * R ^ l + number rs (a + 1) l end.

  Lemma number_small rs a l : (forall t, (rs t < R)%nat) -> (number rs a l < R ^ l)%nat.
  Proof.
    intro H. revert a. induction l as [|l IH]; intro a; cbn [number Nat.pow]; [lia|].
    specialize (IH (a + 1)%nat). specialize (H a). nia.
  Qed.

  (** How many letters of string w are those asked for: all of them for one string, fewer for the others. *)
  Definition matches (rs : nat -> nat) (a l w : nat) : Q :=
    Σ h ∈ range l, (if (digit l w h =? rs (a + h))%nat then 1 else 0).

  Lemma matches_S rs a l w :
    matches rs a (S l) w == (if (w / R ^ l =? rs a)%nat then 1 else 0) + matches rs (a + 1) l (w mod R ^ l).
  Proof.
    unfold matches. rewrite sum_range_S. cbn [digit]. rewrite Nat.add_0_r. apply Qplus_comp; [reflexivity|].
    apply sum_ext. intros h _. now replace (a + 1 + h)%nat with (a + S h)%nat by lia.
  Qed.

  Definition whole (n : nat) : Q := inject_Z (Z.of_nat n).

  Lemma whole_S n : whole (S n) == 1 + whole n.
  Proof. unfold whole. rewrite Nat2Z.inj_succ, <- Z.add_1_l, inject_Z_plus. reflexivity. Qed.

  Lemma matches_all rs a l : (forall t, (rs t < R)%nat) -> matches rs a l (number rs a l) == whole l.
  Proof.
    intro H. revert a. induction l as [|l IH]; intro a; [reflexivity|]. rewrite matches_S, whole_S. cbn [number].
    pose proof (number_small rs (a + 1) l H). assert (R ^ l <> 0)%nat by lia.
    rewrite Nat.div_add_l, Nat.div_small, Nat.add_0_r, Nat.eqb_refl by lia.
    replace (rs a * R ^ l + number rs (a + 1) l)%nat with (number rs (a + 1) l + rs a * R ^ l)%nat by lia.
    rewrite Nat.mod_add, Nat.mod_small, IH by lia. reflexivity.
  Qed.

  Lemma matches_most rs a l w : matches rs a l w <= whole l.
  Proof.
    revert a w. induction l as [|l IH]; intros a w; [apply Qle_refl|]. rewrite matches_S, whole_S.
    specialize (IH (a + 1)%nat (w mod R ^ l)). destruct (w / R ^ l =? rs a)%nat; lra.
  Qed.

  Lemma matches_fewer rs a l w : (forall t, (rs t < R)%nat) -> (w < R ^ l)%nat -> w <> number rs a l ->
    matches rs a l w <= whole l - 1.
  Proof.
    intro H. revert a w. induction l as [|l IH]; intros a w L D; cbn [Nat.pow number] in *; [lia|].
    rewrite matches_S, whole_S. assert (P : (R ^ l <> 0)%nat) by (apply Nat.pow_nonzero; specialize (H 0%nat); lia).
    destruct (Nat.eqb_spec (w / R ^ l) (rs a)) as [E|E].
    - enough (matches rs (a + 1) l (w mod R ^ l) <= whole l - 1) by lra. apply IH.
      + now apply Nat.mod_upper_bound.
      + intro E'. apply D. rewrite (Nat.div_mod w (R ^ l)) by trivial. rewrite E, E'. lia.
    - pose proof (matches_most rs (a + 1) l (w mod R ^ l)). lra.
  Qed.

  (** Where a string of relations leads from an entity. *)
  Variable pi : nat -> nat -> nat -> nat.

  Fixpoint walk (a l w e : nat) : nat :=
    match l with O => e | S l => walk (a + 1) l (w mod R ^ l) (pi a (w / R ^ l) e) end.

  Fixpoint hop (rs : nat -> nat) (a l e : nat) : nat :=
    match l with O => e | S l => hop rs (a + 1) l (pi a (rs a) e) end.

  Lemma walk_number rs a l e : (forall t, (rs t < R)%nat) -> walk a l (number rs a l) e = hop rs a l e.
  Proof.
    intro H. revert a e. induction l as [|l IH]; intros a e; [reflexivity|]. cbn [walk hop number].
    pose proof (number_small rs (a + 1) l H).
    rewrite Nat.div_add_l, (Nat.div_small (number _ _ _)), Nat.add_0_r by lia.
    replace (rs a * R ^ l + number rs (a + 1) l)%nat with (number rs (a + 1) l + rs a * R ^ l)%nat by lia.
    rewrite Nat.mod_add, Nat.mod_small, IH by lia. reflexivity.
  Qed.

  Lemma hop_add rs a l l' e : hop rs a (l + l') e = hop rs (a + l) l' (hop rs a l e).
  Proof.
    revert a e. induction l as [|l IH]; intros a e; cbn [hop plus]; [now rewrite Nat.add_0_r|].
    rewrite IH. f_equal. lia.
  Qed.
End Strings.

(** * Pieces *)

(** A head that reads position t and writes what [target] says: scores -|j - t|. *)
Definition copying (k t : nat) (source : list direction) (target : direction -> direction -> Q) : Head :=
  mkHead [0%nat]
    (fun c _ => match c with Position _ => 1 | _ => 0 end)
    (fun c _ => match c with Position j => - inject_Z (Z.abs (Z.of_nat j - Z.of_nat t)) | _ => 0 end)
    source (fun c a => if same c a then 1 else 0) target.

(** Neurons ReLU(x - lo) that take x - lo, and a bias that takes lo, off the first B blocks. *)
Definition erasing (B m : nat) (lo : Q) : MLP :=
  mkMLP _ (block_neurons B m)
    (fun c n => if same c (Block (fst n) (snd n)) then 1 else 0)
    (fun _ => - lo)
    (fun n c => if same c (Block (fst n) (snd n)) then -(1) else 0)
    (fun c => match c with Block b _ => if (b <? B)%nat then - lo else 0 | _ => 0 end).

(** A weight of -most from position 0 to every neuron, so that they stay silent there. *)
Definition silenced (most : Q) (f : MLP) : MLP :=
  mkMLP (neuron f) (neurons f)
    (fun c n => W_in f c n + (match c with Position 0 => - most | _ => 0 end)) (b_in f) (W_out f) (b_out f).

Definition beside (f g : MLP) : MLP :=
  mkMLP (neuron f + neuron g) (map inl (neurons f) ++ map inr (neurons g))
    (fun c n => match n with inl n => W_in f c n | inr n => W_in g c n end)
    (fun n => match n with inl n => b_in f n | inr n => b_in g n end)
    (fun n c => match n with inl n => W_out f n c | inr n => W_out g n c end)
    (fun c => b_out f c + b_out g c).

(** Neuron x, ReLU(<u(x), readout> - (m - 1)), writes x's next embedding and takes u(x) off the readout. *)
Definition memory (N B m : nat) (u : nat -> nat -> Q) (next : nat -> nat -> nat) : MLP :=
  mkMLP _ (range N)
    (fun c n => match c with Readout j => u n j | _ => 0 end)
    (fun _ => 1 - whole m)
    (fun n c => match c with
                | Block b j => if (b <? B)%nat then u (next b n) j else 0
                | Readout j => - u n j
                | _ => 0
                end)
    (fun _ => 0).

Lemma applied_silenced S most f x c :
  (0 < n_position S)%nat -> x (Position 0) == 0 -> applied S (silenced most f) x c == applied S f x c.
Proof.
  intros I X. unfold applied, silenced. cbn [neuron neurons W_in b_in W_out b_out].
  apply Qplus_comp; [reflexivity|]. apply Qplus_comp; [|reflexivity]. apply sum_ext. intros n _.
  apply Qmult_comp; [|reflexivity]. apply relu_proper. apply Qplus_comp; [|reflexivity]. unfold times.
  rewrite (sum_ext _ _ (fun c => x c * W_in f c n + x c * (match c with Position 0 => - most | _ => 0 end)))
    by (intros; ring).
  rewrite sum_plus, (sum_directions_one S (Position 0) (fun c => x c * (match c with Position 0 => - most | _ => 0 end))); [rewrite X; ring|trivial|].
  intros d D. destruct d as [| | | | | |[|t]]; try ring. now elim D.
Qed.

Lemma applied_beside S f g x c : applied S (beside f g) x c == applied S f x c + applied S g x c - x c.
Proof.
  unfold applied, beside, times. cbn [neuron neurons W_in b_in W_out b_out]. rewrite sum_app, !sum_map. ring.
Qed.

Lemma erases S B m lo x b j :
  (B <= n_blocks S)%nat -> (m <= word_length S)%nat -> (b < B)%nat -> (j < m)%nat -> lo <= x (Block b j) ->
  applied S (erasing B m lo) x (Block b j) == 0.
Proof.
  intros Le Lm Hb J L. unfold applied. cbn [neuron neurons erasing W_in W_out b_in b_out].
  unfold block_neurons. rewrite sum_pairs. cbn [fst snd].
  rewrite (sum_range_one B b), (sum_range_one m j); trivial.
  - unfold times. cbn [fst snd]. rewrite read, same_refl by (cbn; lia). rewrite relu_on by lra.
    apply Nat.ltb_lt in Hb as ->. ring.
  - intros i _ D. destruct (same_spec (Block b j) (Block b i)); [congruence|ring].
  - intros b' _ D. apply sum_range_0. intros i _. destruct (same_spec (Block b j) (Block b' i)); [congruence|ring].
Qed.

Lemma erasing_elsewhere S B m lo x c : (forall b j, c <> Block b j) ->
  applied S (erasing B m lo) x c == x c.
Proof.
  intro D. unfold applied. cbn [neuron neurons erasing W_in W_out b_in b_out].
  rewrite sum_0; [destruct c; try ring; exfalso; now apply (D b j)|].
  intros (b, j) _. cbn [fst snd]. destruct (same_spec c (Block b j)) as [->|]; [exfalso; now apply (D b j)|ring].
Qed.

Lemma distance_self m u a : distance m u a a = 0%nat.
Proof.
  unfold distance. induction (range m) as [|j l IH]; [reflexivity|]. cbn [filter].
  now rewrite (proj2 (Qeq_bool_iff (u a j) (u a j)) (Qeq_refl _)).
Qed.

(** ** The memory: signs, u(x) . u(y) = m if x = y, at most m - 2 otherwise *)

Section Memory.
  Variables (S : space) (N B : nat) (u : nat -> nat -> Q) (next : nat -> nat -> nat).
  Let m := word_length S.
  Hypothesis room : n_readout S = m.
  Hypothesis u_signs : signs m u.
  Hypothesis u_differ : forall a b, (a < N)%nat -> (b < N)%nat -> a <> b -> (1 <= distance m u a b)%nat.

  Lemma product a b : Σ j ∈ range m, (u a j * u b j) == whole m - 2 * whole (distance m u a b).
  Proof.
    assert (E : squared_distance m u a b == 2 * whole m - 2 * (Σ j ∈ range m, (u a j * u b j))).
    { unfold squared_distance.
      rewrite (sum_ext _ _ (fun j => 2 + -(2) * (u a j * u b j))).
      - rewrite sum_plus, sum_scale. enough (Σ _ ∈ range m, 2 == 2 * whole m) by lra.
        generalize m. intro n. induction n as [|n IH]; [reflexivity|]. rewrite sum_range_S, IH, whole_S. ring.
      - intros j J. apply in_range in J.
        destruct (u_signs a j J) as [->| ->], (u_signs b j J) as [->| ->]; ring. }
    rewrite signs_squared_distance in E by trivial. fold (whole (distance m u a b)) in E. lra.
  Qed.

  Lemma remembers x e c : (e < N)%nat -> (forall j, (j < m)%nat -> x (Readout j) == u e j) ->
    applied S (memory N B m u next) x c ==
      x c + match c with
            | Block b j => if (b <? B)%nat then u (next b e) j else 0
            | Readout j => - u e j
            | _ => 0
            end.
  Proof.
    intros He X. unfold applied. cbn [neuron neurons memory W_in W_out b_in b_out].
    assert (T : forall n, times S x (fun c n => match c with Readout j => u n j | _ => 0 end) n
      == whole m - 2 * whole (distance m u e n)).
    { intro n. rewrite (sum_readout S x u), room, <- product. apply sum_range_ext. intros j J. now rewrite X. }
    rewrite (sum_range_one N e); trivial.
    - rewrite T, distance_self. change (whole 0) with 0. rewrite relu_on by lra. ring.
    - intros n Hn Ne. rewrite T, relu_off; [ring|].
      assert (1 <= whole (distance m u e n)).
      { unfold whole. change 1 with (inject_Z 1). rewrite <- Zle_Qle. specialize (u_differ e n He Hn (not_eq_sym Ne)). lia. }
      lra.
  Qed.
End Memory.

(** What a layer does not write stays as it is, at every position. *)
Lemma untouched S L x t c :
  (forall h, In h (heads L) -> forall a, In a (carried h) -> W_O h a c == 0) ->
  (forall f, mlp L = Some f -> b_out f c == 0 /\ forall n, In n (neurons f) -> W_out f n c == 0) ->
  run S L x t c == x t c.
Proof.
  intros H F.
  assert (A : attended S (heads L) x t c == x t c).
  { unfold attended. rewrite sum_0; [ring|]. intros h I. unfold attend. apply sum_0. intros a Ia.
    rewrite (H h I a Ia). ring. }
  unfold run. destruct (mlp L) as [f|]; [|exact A]. destruct (F f eq_refl) as [E E']. unfold applied.
  rewrite A, E, sum_0; [ring|]. intros n I. rewrite E' by trivial. ring.
Qed.

Lemma sum_positions {B} S x (f : B -> nat -> Q) a :
  times S x (fun c a => match c with Position t => f a t | _ => 0 end) a
    == Σ t ∈ range (n_position S), (x (Position t) * f a t).
Proof.
  unfold times. rewrite sum_directions.
  rewrite (sum_range_0 (n_blocks S)) by (intros; apply sum_range_0; intros; ring).
  rewrite (sum_range_0 (n_key S) (fun i => x (Key i) * 0)), (sum_range_0 (n_key S) (fun i => x (Query i) * 0)),
    (sum_range_0 (n_relation S)), (sum_range_0 (n_asked S)), (sum_range_0 (n_readout S)) by (intros; ring). ring.
Qed.

(** At every position up to n its number, one-hot, among those up to k. *)
Definition numbered (k n : nat) (x : nat -> vector) : Prop := forall t i, (t <= n)%nat -> (i <= k)%nat ->
  x t (Position i) == if (i =? t)%nat then 1 else 0.

Lemma attend_copying S k x t source target c : n_position S = (k + 1)%nat -> numbered k k x -> (t <= k)%nat ->
  (forall a, In a source -> inside S a) ->
  attend S (copying k t source target) x k c == Σ a ∈ source, (x t a * target a c).
Proof.
  intros P T Ht I. unfold attend. cbn [carried copying W_O W_V]. apply sum_ext. intros a Ia.
  apply Qmult_comp; [|reflexivity].
  assert (E : forall i, (i <= k)%nat -> score S (copying k t source target) x k i
    == - inject_Z (Z.abs (Z.of_nat i - Z.of_nat t))).
  { intros i Hi. unfold score. cbn [scored copying W_Q W_K]. rewrite sum_cons. cbn [sum].
    rewrite (sum_positions S (x k) (fun _ _ => 1)),
      (sum_positions S (x i) (fun _ j => - inject_Z (Z.abs (Z.of_nat j - Z.of_nat t)))).
    rewrite P, (sum_range_one (k + 1) k), (sum_range_one (k + 1) i); try lia.
    - rewrite (T k k), (T i i), !Nat.eqb_refl by lia. ring.
    - intros j Hj D. rewrite (T i j), (proj2 (Nat.eqb_neq j i) D) by lia. ring.
    - intros j Hj D. rewrite (T k j), (proj2 (Nat.eqb_neq j k) D) by lia. ring. }
  rewrite (hard_reads _ k t (fun i => times S (x i) (fun c a => if same c a then 1 else 0) a)); trivial.
  - unfold times. rewrite read by now apply I. ring.
  - intros j Hj D. rewrite !E by trivial.
    replace (Z.of_nat t - Z.of_nat t)%Z with 0%Z by lia. change (inject_Z (Z.abs 0)) with 0.
    assert (0 < inject_Z (Z.abs (Z.of_nat j - Z.of_nat t))) by (change 0 with (inject_Z 0); rewrite <- Zlt_Qlt; lia). lra.
Qed.

(** * The construction *)

Section Hops.
  Variables (N R m k B readout : nat) (pi : nat -> nat -> nat -> nat).
  Variables (v : nat -> nat -> Q) (lo hi gate : Q) (bias : nat -> Q).
  Hypothesis code : forall a j, (j < m)%nat -> lo <= v a j <= hi.
  Hypothesis gate_high : hi - lo <= 2 * gate.
  Hypothesis unbiased : nearest m v bias.

  Definition stream_of_hops : space := Space B m readout 0 R 0 (k + 1).
  Let S := stream_of_hops.

  (** Blocks for all strings of the first stage, of l relations; a relation's token is a one-hot. *)
  Definition strings (l token : nat) : vector := fun c =>
    match c with
    | Block b j => if (token <? N)%nat then v (walk R pi 0 l b token) j else 0
    | Relation r => if (token <? N)%nat then 0 else if ((token - N) mod R =? r)%nat then 1 else 0
    | _ => 0
    end.

  Definition one_hot (t : nat) : vector := fun c =>
    match c with Position i => if (i =? t)%nat then 1 else 0 | _ => 0 end.

  Definition copy_subject : Head :=
    copying k 0 (map (fun n => Block (fst n) (snd n)) (block_neurons B m)) (fun a c => if same a c then 1 else 0).

  (** Head t lifts, by 2 gate, every block whose string has relation t as its letter h. *)
  Definition lift_matching (t l h : nat) : Head :=
    copying k t (map Relation (range R)) (fun a c =>
      match a, c with
      | Relation r, Block b _ => if (b <? R ^ l)%nat && (digit R l b h =? r)%nat then 2 * gate else 0
      | _, _ => 0
      end).

  Definition stage_heads (first : bool) (a l : nat) : list Head :=
    (if first then [copy_subject] else []) ++ map (fun h => lift_matching (a + h + 1) l h) (range l).

  (** ** What attention reads *)

  Variables (rs : nat -> nat) (s : nat).
  Hypothesis relations : forall t, (rs t < R)%nat.

  Definition tagged (x : nat -> vector) : Prop := forall t, (t <= k)%nat ->
    (forall i, (i <= k)%nat -> x t (Position i) == if (i =? t)%nat then 1 else 0) /\
    (forall h r, t = (h + 1)%nat -> (r < R)%nat -> x t (Relation r) == if (rs h =? r)%nat then 1 else 0).

  Lemma tagged_numbered x : tagged x -> numbered k k x.
  Proof. intros T t i Ht. now apply T. Qed.

  Definition state (first : bool) (x : nat -> vector) (b j : nat) : Q :=
    x k (Block b j) + if first then x 0%nat (Block b j) else 0.

  Lemma stage_attends first a l x b j :
    tagged x -> (a + l <= k)%nat -> (R ^ l <= B)%nat -> (b < R ^ l)%nat -> (j < m)%nat ->
    attended S (stage_heads first a l) x k (Block b j) == state first x b j + 2 * gate * matches R rs a l b.
  Proof.
    intros T Ha Le Hb J. unfold attended, state, stage_heads. rewrite sum_app, sum_map. unfold matches.
    rewrite <- sum_scale.
    assert (E : Σ h ∈ (if first then [copy_subject] else []), (attend S h x k (Block b j))
      == if first then x 0%nat (Block b j) else 0).
    { destruct first; [|reflexivity]. rewrite sum_cons. cbn [sum]. unfold copy_subject. rewrite attend_copying; [|reflexivity|now apply tagged_numbered|lia|].
      - rewrite (sum_one (Block b j)).
        + rewrite same_refl. ring.
        + apply FinFun.Injective_map_NoDup; [now intros [? ?] [? ?] [= -> ->]|].
          apply NoDup_list_prod; apply seq_NoDup.
        + apply in_map_iff. exists (b, j). split; trivial. apply in_prod_iff. rewrite !in_range. lia.
        + intros d _ D. destruct (same_spec d (Block b j)); [contradiction|ring].
      - intros d I. apply in_map_iff in I as ((b' & j') & <- & I). apply in_prod_iff in I. rewrite !in_range in I. exact I. }
    rewrite E, (sum_range_ext l _ (fun h => 2 * gate * (if (digit R l b h =? rs (a + h))%nat then 1 else 0))); [ring|].
    intros h Hh. unfold lift_matching. rewrite attend_copying; [|reflexivity|now apply tagged_numbered|lia|].
    - rewrite sum_map, (sum_range_one R (rs (a + h))) by (try apply relations; intros r Hr D;
        rewrite (proj2 (T (a + h + 1)%nat ltac:(lia)) (a + h)%nat r eq_refl Hr),
          (proj2 (Nat.eqb_neq (rs (a + h)) r)) by congruence; ring).
      rewrite (proj2 (T (a + h + 1)%nat ltac:(lia)) (a + h)%nat _ eq_refl (relations _)), Nat.eqb_refl.
      apply Nat.ltb_lt in Hb as ->. cbn [andb]. destruct (digit R l b h =? rs (a + h))%nat; ring.
    - intros d I. apply in_map_iff in I as (r & <- & I). now apply in_range in I.
  Qed.

  (** ** A stage: the block of the string asked for is lifted in full, no other *)

  Definition ready (first : bool) (a l e : nat) (x : nat -> vector) : Prop :=
    tagged x /\ (forall j, (j < readout)%nat -> x k (Readout j) == 0) /\
    (forall b j, (b < R ^ l)%nat -> (j < m)%nat -> state first x b j == v (walk R pi a l b e) j).

  Lemma stage_lifts first a l e x : (a + l <= k)%nat -> (R ^ l <= B)%nat -> ready first a l e x ->
    lifted (R ^ l) m (2 * gate * whole l) (2 * gate * whole l + lo) (number R rs a l) (v (hop pi rs a l e))
      (attended S (stage_heads first a l) x k).
  Proof.
    intros Ha Le (T & _ & X). pose proof (number_small R rs a l relations) as Hn. split; [trivial|split].
    - intros j J. pose proof (code (hop pi rs a l e) j J). split; [lra|]. rewrite stage_attends, X, matches_all, walk_number by trivial. ring.
    - intros b j Hb J D. rewrite stage_attends, X by trivial.
      pose proof (matches_fewer R rs a l b relations Hb D). pose proof (code (walk R pi a l b e) j J).
      assert (0 <= gate) by lra. assert (2 * gate * matches R rs a l b <= 2 * gate * (whole l - 1)).
      { rewrite !(Qmult_comm (2 * gate)). apply Qmult_le_compat_r; lra. }
      lra.
  Qed.

  Lemma stage_heads_write_blocks first a l c : (forall b j, c <> Block b j) ->
    forall h, In h (stage_heads first a l) -> forall d, In d (carried h) -> W_O h d c == 0.
  Proof.
    intros D h I d Id. unfold stage_heads in I. apply in_app_iff in I as [I|I].
    - destruct first; [|destruct I]. destruct I as [<-|[]]. cbn [W_O carried copy_subject copying] in *.
      apply in_map_iff in Id as ((b & j) & <- & _). cbn [fst snd].
      destruct (same_spec (Block b j) c) as [<-|]; [exfalso; now apply (D b j)|reflexivity].
    - apply in_map_iff in I as (t & <- & _). cbn [W_O lift_matching copying].
      destruct d, c; try reflexivity. exfalso. now apply (D b j).
  Qed.

  Lemma attention_keeps first a l x t c : (forall b j, c <> Block b j) ->
    attended S (stage_heads first a l) x t c == x t c.
  Proof.
    intro D. apply (untouched S (mkLayer (stage_heads first a l) None)); [|discriminate].
    intros h I. now apply (stage_heads_write_blocks first a l).
  Qed.

  (** ** C5(a), composed: one stage of k hops. Depth 1, d_model = (R^k + 1) m + R + k + 1. *)

  Variable tok : nat -> nat.
  Hypothesis letters : forall t, (tok t mod R)%nat = rs t.
  Hypothesis subject : (s < N)%nat.

  (** [s, r_1, ..., r_k]; hop t asks with token N + tok t, whose number in the alphabet is rs t. *)
  Definition hops_prompt : prompt := (s, 0%nat) :: map (fun t => (N + tok t, t + 1)%nat) (range k).

  Lemma prompt_length : length hops_prompt = (k + 1)%nat.
  Proof. unfold hops_prompt, range. cbn [length]. rewrite map_length, seq_length. lia. Qed.

  Lemma prompt_relation t : (t < k)%nat -> nth (t + 1) hops_prompt (0, 0)%nat = (N + tok t, t + 1)%nat.
  Proof.
    intro H. unfold hops_prompt, range. rewrite Nat.add_1_r. cbn [nth].
    rewrite (nth_indep _ _ (N + tok 0, 0 + 1)%nat) by (now rewrite map_length, seq_length).
    rewrite (map_nth (fun t => (N + tok t, t + 1)%nat)), seq_nth by trivial. cbn [plus]. f_equal. lia.
  Qed.

  Definition hops_model (l : nat) (Ls : list Layer) (U : direction -> nat -> Q) : Transformer :=
    mkTransformer S (strings l) one_hot Ls U bias.

  Lemma embedded_ready l Ls U : (0 < k)%nat -> ready true 0 l s (embedded (hops_model l Ls U) hops_prompt).
  Proof.
    intro Hk. set (x := embedded (hops_model l Ls U) hops_prompt).
    assert (X0 : forall c, x 0%nat c = strings l s c + one_hot 0 c) by reflexivity.
    assert (Xt : forall t c, (t < k)%nat -> x (t + 1)%nat c = strings l (N + tok t) c + one_hot (t + 1) c).
    { intros t c H. unfold x, embedded. now rewrite prompt_relation. }
    assert (Off : forall t, (N + tok t <? N)%nat = false) by (intro; apply Nat.ltb_ge; lia).
    split; [|split].
    - intros t Ht. split.
      + intros i Hi. destruct t as [|t]; [rewrite X0|rewrite <- Nat.add_1_r, Xt by lia]; cbn [strings one_hot]; ring.
      + intros h r -> Hr. rewrite Xt by lia. cbn [strings one_hot]. rewrite Off.
        replace (N + tok h - N)%nat with (tok h) by lia. rewrite letters. ring.
    - intros j _. replace k with (k - 1 + 1)%nat by lia. rewrite Xt by lia. cbn [strings one_hot]. ring.
    - intros b j Hb J. unfold state. replace k with (k - 1 + 1)%nat at 1 by lia. rewrite Xt, X0 by lia.
      cbn [strings one_hot]. rewrite Off. apply Nat.ltb_lt in subject as ->. ring.
  Qed.

  Definition separate_selector (l : nat) : MLP := select_separate (R ^ l) m (2 * gate * whole l) lo.

  Theorem composed_hops b :
    (0 < k)%nat -> (R ^ k <= B)%nat -> readout = m ->
    let M := hops_model k [mkLayer (stage_heads true 0 k) (Some (separate_selector k))] (read_readout v) in
    let y := hop pi rs 0 k s in
    logit M hops_prompt y - logit M hops_prompt b == squared_distance m v y b / 2.
  Proof.
    intros Hk Le E M y. pose proof (embedded_ready k (layers M) (W_U M) Hk) as Rd.
    unfold logit. rewrite prompt_length. replace (k + 1 - 1)%nat with k by lia.
    cbn [stream M hops_model W_U b_U]. unfold read_readout. fold S. rewrite !(sum_readout S _ v).
    cbn [n_readout S stream_of_hops]. rewrite E. apply nearest_neighbour; trivial. intros j J.
    unfold residual. cbn [layers M hops_model fold_left run heads mlp]. fold S.
    apply (selects_separate S (R ^ k) (2 * gate * whole k) lo (number R rs 0 k)); trivial.
    - apply stage_lifts; trivial.
    - transitivity (embedded M hops_prompt k (Readout j)); [now apply attention_keeps|]. apply Rd. lia.
  Qed.

  Theorem composed_hops_in_place b :
    (0 < k)%nat -> (R ^ k = B)%nat ->
    let M := hops_model k [mkLayer (stage_heads true 0 k) (Some (select_in_place (R ^ k) m (2 * gate * whole k) (2 * gate * whole k + lo)))]
      (read_blocks v) in
    let y := hop pi rs 0 k s in
    logit M hops_prompt y - logit M hops_prompt b == squared_distance m v y b / 2.
  Proof.
    intros Hk E M y. pose proof (embedded_ready k (layers M) (W_U M) Hk) as Rd.
    unfold logit. rewrite prompt_length. replace (k + 1 - 1)%nat with k by lia.
    cbn [stream M hops_model W_U b_U]. unfold read_blocks. fold S. rewrite !(sum_blocks S _ v).
    cbn [word_length n_blocks S stream_of_hops]. apply nearest_neighbour; trivial. intros j J.
    unfold residual. cbn [layers M hops_model fold_left run heads mlp]. fold S. rewrite <- E.
    apply (selects_in_place S (R ^ k) (2 * gate * whole k) (2 * gate * whole k + lo) (number R rs 0 k)); trivial; [cbn; lia|].
    apply stage_lifts; trivial. lia.
  Qed.

  (** ** C5(b, c), sequential and hybrid: a memory between stages *)

  Hypothesis readout_m : readout = m.
  Hypothesis v_signs : signs m v.
  Hypothesis lo_sign : lo == -(1).
  Hypothesis words_differ : forall a b, (a < N)%nat -> (b < N)%nat -> a <> b -> (1 <= distance m v a b)%nat.
  Hypothesis entities : forall t r e, (e < N)%nat -> (r < R)%nat -> (pi t r e < N)%nat.

  Definition last_stage (first : bool) (a l : nat) : Layer :=
    mkLayer (stage_heads first a l) (Some (silenced hi (separate_selector l))).

  Definition stage (first : bool) (a l : nat) : Layer :=
    mkLayer (stage_heads first a l) (Some (beside (silenced hi (separate_selector l)) (erasing (R ^ l) m lo))).

  Definition look_up (a l : nat) : Layer :=
    mkLayer [] (Some (memory N (R ^ l) m v (fun b e => walk R pi a l b e))).

  Fixpoint staged (first : bool) (a : nat) (lengths : list nat) : list Layer :=
    match lengths with
    | [] => []
    | [l] => [last_stage first a l]
    | l :: (l' :: _) as rest => stage first a l :: look_up (a + l) l' :: staged false (a + l) rest
    end.

  Lemma hop_entity a l e : (e < N)%nat -> (hop pi rs a l e < N)%nat.
  Proof. revert a e. induction l as [|l IH]; intros a e He; [trivial|]. apply IH. now apply entities. Qed.

  Lemma selected first a l e x j : (a + l <= k)%nat -> (0 < k)%nat -> (R ^ l <= B)%nat -> ready first a l e x -> (j < m)%nat ->
    applied S (silenced hi (separate_selector l)) (attended S (stage_heads first a l) x k) (Readout j)
      == v (hop pi rs a l e) j.
  Proof.
    intros Ha Hk Le Rd J. rewrite applied_silenced.
    - apply (selects_separate S (R ^ l) (2 * gate * whole l) lo (number R rs a l)); trivial.
      + now apply stage_lifts.
      + rewrite attention_keeps by discriminate. apply Rd. now rewrite readout_m.
    - cbn. lia.
    - rewrite attention_keeps by discriminate. rewrite (proj1 (proj1 Rd k (le_n k)) 0%nat) by lia.
      now rewrite (proj2 (Nat.eqb_neq 0 k)) by lia.
  Qed.

  Lemma tags_stay x L : tagged x ->
    (forall h, In h (heads L) -> exists first a l, In h (stage_heads first a l)) ->
    (forall f, mlp L = Some f -> forall c, (forall b j, c <> Block b j) -> (forall j, c <> Readout j) ->
      b_out f c == 0 /\ forall n, In n (neurons f) -> W_out f n c == 0) ->
    tagged (run S L x).
  Proof.
    intros T Hh Hf t Ht. assert (E : forall c, (forall b j, c <> Block b j) -> (forall j, c <> Readout j) ->
      run S L x t c == x t c).
    { intros c D D'. apply untouched; [|intros; now apply Hf]. intros h I. destruct (Hh h I) as (first & a & l & I').
      now apply (stage_heads_write_blocks first a l). }
    split; intros; rewrite E by discriminate; now apply T.
  Qed.

  (** The layer invariant: after a stage and its memory the state is the next embedding of the entity reached. *)
  Lemma stage_and_memory first a l l' e x :
    (a + l <= k)%nat -> (0 < k)%nat -> (R ^ l <= B)%nat -> (R ^ l' <= R ^ l)%nat -> (e < N)%nat -> ready first a l e x ->
    ready false (a + l) l' (hop pi rs a l e) (run S (look_up (a + l) l') (run S (stage first a l) x)).
  Proof.
    intros Ha Hk Le Le' He Rd. set (y := run S (stage first a l) x).
    assert (Y : forall j, (j < m)%nat -> y k (Readout j) == v (hop pi rs a l e) j).
    { intros j J. unfold y, run. cbn [mlp heads stage]. rewrite applied_beside, (selected first a l e) by trivial.
      rewrite (erasing_elsewhere S (R ^ l) m lo) by discriminate. ring. }
    assert (Z : forall b j, (b < R ^ l)%nat -> (j < m)%nat -> y k (Block b j) == 0).
    { intros b j Hb J. unfold y, run. cbn [mlp heads stage]. rewrite applied_beside.
      set (z := attended S (stage_heads first a l) x k).
      assert (E : applied S (silenced hi (separate_selector l)) z (Block b j) == z (Block b j)).
      { unfold applied. cbn [neuron neurons silenced separate_selector select_separate W_out b_out].
        rewrite sum_0; [ring|]. intros n _. cbn. ring. }
      rewrite E, (erases S (R ^ l) m lo); trivial; [ring|]. unfold z. rewrite stage_attends by (trivial; apply Rd).
      rewrite (proj2 (proj2 Rd) b j Hb J).
      assert (0 <= matches R rs a l b).
      { unfold matches. rewrite <- (sum_0 (range l) (fun _ => 0)) by reflexivity. apply sum_le.
        intros h _. destruct (digit R l b h =? rs (a + h))%nat; lra. }
      pose proof (code (walk R pi a l b e) j J). assert (0 <= gate) by lra.
      assert (0 <= 2 * gate * matches R rs a l b) by (apply Qmult_le_0_compat; lra). lra. }
    pose proof (hop_entity a l e He) as Hn.
    assert (W : forall c, run S (look_up (a + l) l') y k c == y k c + match c with
        | Block b j => if (b <? R ^ l')%nat then v (walk R pi (a + l) l' b (hop pi rs a l e)) j else 0
        | Readout j => - v (hop pi rs a l e) j
        | _ => 0
        end).
    { intro c. unfold run. cbn [mlp heads look_up].
      assert (E : forall d, attended S [] y k d == y k d) by (intro; unfold attended; cbn [sum]; ring).
      pose proof (remembers S N (R ^ l') v (fun b e => walk R pi (a + l) l' b e) readout_m v_signs words_differ
        (attended S [] y k) (hop pi rs a l e) c Hn) as F. change (word_length S) with m in F.
      rewrite F; [now rewrite E|]. intros j J. rewrite E. now apply Y. }
    split; [|split].
    - apply tags_stay; [|intros h []|].
      + unfold y. apply tags_stay; [apply Rd|cbn [heads stage]; eauto|].
        intros f [= <-] c D D'. cbn [b_out beside silenced separate_selector select_separate erasing]. split.
        * destruct c; try reflexivity; exfalso; [now apply (D b j)|now apply (D' j)].
        * intros n I. cbn [neurons neuron beside] in *. apply in_app_iff in I as [I|I];
            apply in_map_iff in I as (n' & <- & _);
            cbn [W_out beside silenced separate_selector select_separate erasing].
          -- destruct (same_spec c (Readout (snd n'))); [exfalso; now apply (D' (snd n'))|reflexivity].
          -- destruct (same_spec c (Block (fst n') (snd n'))); [exfalso; now apply (D (fst n') (snd n'))|reflexivity].
      + intros f [= <-] c D D'. split; [reflexivity|]. intros n _. cbn [W_out memory].
        destruct c; try reflexivity; exfalso; [now apply (D b j)|now apply (D' j)].
    - intros j J. rewrite W, Y by (now rewrite <- readout_m). ring.
    - intros b j Hb J. unfold state. rewrite W, Z by (trivial; lia). apply Nat.ltb_lt in Hb as ->. ring.
  Qed.

  Fixpoint total (lengths : list nat) : nat := match lengths with [] => 0 | l :: ls => l + total ls end.

  Fixpoint shrinking (lengths : list nat) : Prop :=
    match lengths with l :: (l' :: _) as rest => (R ^ l' <= R ^ l)%nat /\ shrinking rest | _ => True end.

  Lemma staged_ends lengths : forall first a e x,
    lengths <> [] -> (a + total lengths <= k)%nat -> (0 < k)%nat -> (R ^ hd 0%nat lengths <= B)%nat -> shrinking lengths ->
    (e < N)%nat -> ready first a (hd 0%nat lengths) e x ->
    forall j, (j < m)%nat ->
      fold_left (fun x L => run S L x) (staged first a lengths) x k (Readout j)
        == v (hop pi rs a (total lengths) e) j.
  Proof.
    induction lengths as [|l [|l' rest] IH]; intros first a e x Ne Ha Hk Le Sh He Rd j J; [now elim Ne| |].
    - cbn [staged fold_left total hd] in *. rewrite Nat.add_0_r in *. unfold run. cbn [mlp heads last_stage].
      now apply selected.
    - destruct Sh as [Sh Sh']. cbn [hd] in Le, Rd. cbn [total] in Ha.
      change (staged first a (l :: l' :: rest)) with (stage first a l :: look_up (a + l) l' :: staged false (a + l) (l' :: rest)).
      cbn [fold_left]. change (total (l :: l' :: rest)) with (l + total (l' :: rest))%nat. rewrite hop_add.
      apply IH; trivial; cbn [hd total]; try lia; try discriminate.
      + now apply hop_entity.
      + apply stage_and_memory; trivial. lia.
  Qed.

  (** For every sequence of stages, the longest first: [k] is composed, [1; ...; 1] sequential. *)
  Theorem staged_hops lengths b :
    lengths <> [] -> total lengths = k -> (0 < k)%nat -> (R ^ hd 0%nat lengths <= B)%nat -> shrinking lengths ->
    let M := hops_model (hd 0%nat lengths) (staged true 0 lengths) (read_readout v) in
    let y := hop pi rs 0 k s in
    logit M hops_prompt y - logit M hops_prompt b == squared_distance m v y b / 2.
  Proof.
    intros Ne E Hk Le Sh M y. pose proof (embedded_ready (hd 0%nat lengths) (layers M) (W_U M) Hk) as Rd.
    unfold logit. rewrite prompt_length. replace (k + 1 - 1)%nat with k by lia.
    cbn [stream M hops_model W_U b_U]. unfold read_readout. fold S. rewrite !(sum_readout S _ v).
    cbn [n_readout S stream_of_hops]. rewrite readout_m. apply nearest_neighbour; trivial. intros j J.
    unfold residual. cbn [layers stream M hops_model]. fold S. unfold y. rewrite <- E at 2.
    apply staged_ends; trivial. lia.
  Qed.
End Hops.
