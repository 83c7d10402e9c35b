(** Certificates for weights at hand: lists of whole numbers, a forward pass on them that equals the transformer's,
    and a check whose answer "true" is a theorem about every margin. One layer, uniform attention, prompts [s, r]. *)

From Georecall Require Import transformer single_hop.

(** * Lists of whole numbers as vectors *)

Definition at_ (l : list Z) (i : nat) : Z := nth i l 0%Z.
Notation iz := inject_Z.

Fixpoint dot (x y : list Z) : Z :=
  match x, y with a :: x, b :: y => a * b + dot x y | _, _ => 0 end%Z.

Fixpoint add (x y : list Z) : list Z :=
  match x, y with a :: x, b :: y => (a + b)%Z :: add x y | [], y => y | x, [] => x end.

Definition scale (k : Z) (x : list Z) : list Z := map (Z.mul k) x.

(** Rows combined with weights x. *)
Fixpoint comb (x : list Z) (rows : list (list Z)) : list Z :=
  match x, rows with
  | a :: x, r :: rows => if (a =? 0)%Z then comb x rows else add (scale a r) (comb x rows)
  | _, _ => []
  end.

(** Equality but for zeros at the end. *)
Fixpoint same_list (x y : list Z) : bool :=
  match x, y with
  | a :: x, b :: y => (a =? b)%Z && same_list x y
  | [], y => forallb (Z.eqb 0) y
  | x, [] => forallb (Z.eqb 0) x
  end.

Lemma at_nil i : at_ [] i = 0%Z.
Proof. now destruct i. Qed.

Lemma at_add x y i : at_ (add x y) i = (at_ x i + at_ y i)%Z.
Proof.
  unfold at_. revert y i. induction x as [|a x IH]; intros [|b y] [|i]; cbn [add nth]; try lia. apply IH.
Qed.

Lemma at_scale k x i : at_ (scale k x) i = (k * at_ x i)%Z.
Proof. unfold at_, scale. revert i. induction x as [|a x IH]; intros [|i]; cbn [map nth]; try lia. apply IH. Qed.

Lemma zeros_at l i : forallb (Z.eqb 0) l = true -> at_ l i = 0%Z.
Proof.
  unfold at_. revert i. induction l as [|a l IH]; intros [|i] H; cbn [forallb nth] in *; try reflexivity;
    apply andb_prop in H as [E H]; [apply Z.eqb_eq in E; lia|now apply IH].
Qed.

Lemma same_at x y i : same_list x y = true -> at_ x i = at_ y i.
Proof.
  revert y i. induction x as [|a x IH]; intros [|b y] i H.
  - reflexivity.
  - rewrite (zeros_at (b :: y)) by exact H. apply at_nil.
  - rewrite (zeros_at (a :: x)) by exact H. symmetry. apply at_nil.
  - cbn [same_list] in H. apply andb_prop in H as [E H]. apply Z.eqb_eq in E.
    unfold at_. destruct i; cbn [nth]; [exact E|]. now apply (IH y i).
Qed.

Lemma dot_sum x y d : (length x <= d)%nat -> iz (dot x y) == Σ i ∈ range d, (iz (at_ x i) * iz (at_ y i)).
Proof.
  revert y d. induction x as [|a x IH]; intros y d L.
  - symmetry. cbn [dot]. apply sum_0. intros i _. rewrite at_nil. change (iz 0) with 0. ring.
  - destruct d as [|d]; [cbn in L; lia|]. rewrite sum_range_S. destruct y as [|b y]; cbn [dot].
    + symmetry. rewrite sum_0; [unfold at_; cbn [nth]; change (iz 0) with 0; ring|].
      intros i _. rewrite (at_nil (S i)). change (iz 0) with 0. ring.
    + rewrite inject_Z_plus, inject_Z_mult, (IH y d) by (cbn in L; lia). reflexivity.
Qed.

Lemma comb_sum x rows j d : (length x <= d)%nat ->
  iz (at_ (comb x rows) j) == Σ i ∈ range d, (iz (at_ x i) * iz (at_ (nth i rows []) j)).
Proof.
  revert rows d. induction x as [|a x IH]; intros rows d L.
  - symmetry. cbn [comb]. rewrite at_nil. apply sum_0. intros i _. rewrite at_nil. change (iz 0) with 0. ring.
  - destruct d as [|d]; [cbn in L; lia|]. rewrite sum_range_S. destruct rows as [|r rows]; cbn [comb].
    + symmetry. rewrite at_nil, sum_0; [unfold at_ at 2; cbn [nth]; destruct j; change (iz 0) with 0; ring|].
      intros i _. cbn [nth]. rewrite at_nil. change (iz 0) with 0. ring.
    + unfold at_ at 2. cbn [nth]. assert (E := IH rows d ltac:(cbn in L; lia)).
      destruct (Z.eqb_spec a 0) as [->|_].
      * rewrite E. change (iz 0) with 0. unfold at_ at 4. cbn [nth].
        rewrite Qmult_0_l, Qplus_0_l. reflexivity.
      * rewrite at_add, at_scale, inject_Z_plus, inject_Z_mult, E. reflexivity.
Qed.

(** Numbers packed into one, each in some bits and raised by an offset: a file that Coq reads quickly. *)
Fixpoint unpack (bits mask offset : Z) (n : nat) (z : Z) : list Z :=
  match n with
  | O => []
  | S n => (Z.land z mask - offset)%Z :: unpack bits mask offset n (Z.shiftr z bits)
  end.

(** * Weights: whole numbers over common denominators *)

Record Weights := {
  subjects : nat; dim : nat; head_dim : nat; width : nat; outputs : nat;
  w_E : list (list Z); w_pos : list (list Z);                   (* over D_x *)
  w_V : list (list Z); w_O : list (list Z);                     (* rows; over D_V, D_O *)
  w_in : list (list Z); bias_in : list Z;                       (* a list per neuron; over D_1, and D D_1 *)
  w_out : list (list Z); bias_out : list Z;                     (* a row per neuron; over D_2, and D D_1 D_2 *)
  w_U : list (list Z); bias_U : list Z;                         (* a list per output; over D_U, and D D_1 D_2 D_U *)
  D_x : positive; D_V : positive; D_O : positive; D_1 : positive; D_2 : positive; D_U : positive }.

Section Model.
  Variable w : Weights.

  (** What a residual after attention is over: D = 2 D_x D_V D_O. *)
  Definition k_x := 1 # D_x w.
  Definition k_V := 1 # D_V w.
  Definition k_O := 1 # D_O w.
  Definition k_1 := 1 # D_1 w.
  Definition k_2 := 1 # D_2 w.
  Definition k_U := 1 # D_U w.
  Definition k := (1 # 2) * k_x * k_V * k_O.

  Definition entry_at (rows : list (list Z)) (i j : nat) : Q := iz (at_ (nth i rows []) j).
  Definition component (c : direction) : nat := match c with Readout i => i | _ => 0%nat end.

  Definition model : Transformer :=
    mkTransformer (Space 0 0 (dim w) 0 0 0 0)
      (fun token c => entry_at (w_E w) token (component c) * k_x)
      (fun position c => entry_at (w_pos w) position (component c) * k_x)
      [mkLayer
        [mkHead [] (fun _ _ => 0) (fun _ _ => 0) (map Readout (range (head_dim w)))
          (fun c a => entry_at (w_V w) (component c) (component a) * k_V)
          (fun a c => entry_at (w_O w) (component a) (component c) * k_O)]
        (Some (mkMLP nat (range (width w))
          (fun c n => entry_at (w_in w) n (component c) * k_1)
          (fun n => iz (at_ (bias_in w) n) * (k * k_1))
          (fun n c => entry_at (w_out w) n (component c) * k_2)
          (fun c => iz (at_ (bias_out w) (component c)) * (k * k_1 * k_2))))]
      (fun c b => entry_at (w_U w) b (component c) * k_U)
      (fun b => iz (at_ (bias_U w) b) * (k * k_1 * k_2 * k_U)).

  (** ** The forward pass on whole numbers *)

  Definition embedding (token position : nat) : list Z := add (nth token (w_E w) []) (nth position (w_pos w) []).
  Definition value (x : list Z) : list Z := comb x (w_V w).
  Definition carried_on (x : list Z) : list Z := comb (value x) (w_O w).
  Definition from_subject (s : nat) : list Z := carried_on (embedding s 0).
  Definition from_relation (r : nat) : list Z :=
    let x := embedding (subjects w + r) 1 in add (scale (Zpos (2 * (D_V w * D_O w))) x) (carried_on x).

  Definition relus (u : list Z) : list Z :=
    map (fun n => Z.max 0 (dot u (fst n) + snd n)) (combine (w_in w) (bias_in w)).
  Definition through (u : list Z) : list Z :=
    add (add (scale (Zpos (D_1 w * D_2 w)) u) (comb (relus u) (w_out w))) (bias_out w).

  (** Lengths that make the sums complete. *)
  Definition fits (l : list Z) (n : nat) : bool := (length l <=? n)%nat.
  Definition shapes : bool :=
    ((length (w_in w) =? width w) && (length (bias_in w) =? width w))%nat.
  Definition subject_fits (s : nat) : bool := fits (embedding s 0) (dim w) && fits (value (embedding s 0)) (head_dim w).
  Definition relation_fits (r : nat) : bool :=
    let x := embedding (subjects w + r) 1 in fits x (dim w) && fits (value x) (head_dim w).

  Lemma flat_times {B} x (W : direction -> B -> Q) b :
    times (stream model) x W b == Σ i ∈ range (dim w), (x (Readout i) * W (Readout i) b).
  Proof.
    unfold times. rewrite sum_directions. cbn [stream model n_blocks word_length n_readout n_key n_relation n_asked n_position].
    cbn [range seq sum]. ring.
  Qed.

  Lemma cancels D : iz (Zpos D) * (1 # D) == 1.
  Proof. unfold Qeq, Qmult, inject_Z. cbn [Qnum Qden]. lia. Qed.

  Lemma embedded_at s r t c : (t <= 1)%nat ->
    embedded model [(s, 0); (subjects w + r, 1)]%nat t (Readout c)
      == iz (at_ (match t with O => embedding s 0 | _ => embedding (subjects w + r) 1 end) c) * k_x.
  Proof.
    intro L. unfold embedding. destruct t as [|[|t]]; [| |lia]; unfold embedded; cbn [nth W_E W_pos model component];
      rewrite at_add, inject_Z_plus; unfold entry_at; ring.
  Qed.

  Lemma valued x l a : (forall i, x (Readout i) == iz (at_ l i) * k_x) -> fits l (dim w) = true ->
    times (stream model) x (fun c a => entry_at (w_V w) (component c) (component a) * k_V) (Readout a)
      == iz (at_ (value l) a) * (k_x * k_V).
  Proof.
    intros X F. apply Nat.leb_le in F. rewrite flat_times. cbn [component]. unfold value.
    rewrite (comb_sum l (w_V w) a (dim w) F), Qmult_comm, <- sum_scale.
    apply sum_ext. intros i _. rewrite X. unfold entry_at. ring.
  Qed.

  Lemma attended_at s r c : subject_fits s = true -> relation_fits r = true ->
    attended (stream model) (heads (hd (mkLayer [] None) (layers model))) (embedded model [(s, 0); (subjects w + r, 1)]%nat) 1
      (Readout c) == iz (at_ (add (from_subject s) (from_relation r)) c) * k.
  Proof.
    intros Fs Fr. apply andb_prop in Fs as [Fs Fs']. apply andb_prop in Fr as [Fr Fr'].
    set (x := embedded model [(s, 0); (subjects w + r, 1)]%nat). cbn [layers model hd heads].
    unfold attended. rewrite sum_cons. cbn [sum]. unfold attend. cbn [carried W_O W_V].
    rewrite sum_map. set (h := mkHead _ _ _ _ _ _).
    assert (H : forall i, (i <= 1)%nat -> hard (score (stream model) h x 1) 1 i == 1 # 2).
    { intros i L. rewrite hard_uniform; trivial; reflexivity. }
    rewrite (sum_ext _ _ (fun a => ((1 # 2) * k_x * k_V * k_O) * (iz (at_ (value (embedding s 0)) a) * iz (at_ (nth a (w_O w) []) c))
      + ((1 # 2) * k_x * k_V * k_O) * (iz (at_ (value (embedding (subjects w + r) 1)) a) * iz (at_ (nth a (w_O w) []) c)))).
    2: { intros a _. change (range (1 + 1)) with [0; 1]%nat. rewrite !sum_cons. cbn [sum]. rewrite !H by lia.
         rewrite (valued (x 0%nat) (embedding s 0)), (valued (x 1%nat) (embedding (subjects w + r) 1)); trivial.
         - unfold entry_at. cbn [component]. ring.
         - intro i. unfold x. now rewrite embedded_at by lia.
         - intro i. unfold x. now rewrite embedded_at by lia. }
    apply Nat.leb_le in Fs', Fr'.
    rewrite sum_plus, !sum_scale, <- !(comb_sum _ (w_O w) c (head_dim w)) by trivial.
    unfold x. rewrite embedded_at by lia. unfold from_subject, from_relation, carried_on.
    rewrite !at_add, at_scale, !inject_Z_plus, inject_Z_mult.
    assert (E : iz (Zpos (2 * (D_V w * D_O w))) * k == k_x).
    { unfold k, k_V, k_O. rewrite !Pos2Z.inj_mul, !inject_Z_mult.
      transitivity ((iz 2 * (1 # 2)) * k_x * (iz (Zpos (D_V w)) * (1 # D_V w)) * (iz (Zpos (D_O w)) * (1 # D_O w))); [ring|].
      rewrite (cancels (D_V w)), (cancels (D_O w)). assert (T : iz 2 * (1 # 2) == 1) by reflexivity. rewrite T. ring. }
    unfold k in *. rewrite <- E at 1. ring.
  Qed.

  (** ** MLP and logits *)

  Lemma applied_at u z c : shapes = true -> fits u (dim w) = true ->
    (forall i, z (Readout i) == iz (at_ u i) * k) ->
    match mlp (hd (mkLayer [] None) (layers model)) with
    | Some f => applied (stream model) f z (Readout c)
    | None => 0
    end == iz (at_ (through u) c) * (k * k_1 * k_2).
  Proof.
    intros Sh F Hz. apply andb_prop in Sh as [L L']. apply Nat.eqb_eq in L, L'. apply Nat.leb_le in F.
    cbn [mlp layers model hd]. unfold applied. cbn [neuron neurons W_in b_in W_out b_out component].
    assert (P : 0 < k * k_1) by reflexivity.
    assert (N : forall n, (n < width w)%nat ->
      relu (times (stream model) z (fun c n => entry_at (w_in w) n (component c) * k_1) n + iz (at_ (bias_in w) n) * (k * k_1))
        == iz (at_ (relus u) n) * (k * k_1)).
    { intros n Hn.
      assert (E : at_ (relus u) n = Z.max 0 (dot u (nth n (w_in w) []) + at_ (bias_in w) n)).
      { unfold at_ at 1, relus. set (f := fun m : list Z * Z => Z.max 0 (dot u (fst m) + snd m)).
        rewrite (nth_indep _ 0%Z (f ([], 0%Z))) by (rewrite map_length, combine_length; lia).
        rewrite (map_nth f), combine_nth by lia. reflexivity. }
      rewrite E, flat_times. cbn [component].
      assert (D : Σ i ∈ range (dim w), (z (Readout i) * (entry_at (w_in w) n i * k_1))
        == iz (dot u (nth n (w_in w) [])) * (k * k_1)).
      { rewrite (dot_sum u _ (dim w) F), Qmult_comm, <- sum_scale. apply sum_ext. intros i _. rewrite Hz.
        unfold entry_at. ring. }
      rewrite D, <- Qmult_plus_distr_l, <- inject_Z_plus. set (y := (dot u (nth n (w_in w) []) + at_ (bias_in w) n)%Z).
      destruct (Z.max_spec 0 y) as [[H ->]|[H ->]].
      - apply relu_on. apply Qmult_le_0_compat; [change 0 with (iz 0); rewrite <- Zle_Qle; lia|lra].
      - rewrite relu_off; [change (iz 0) with 0; ring|]. setoid_replace 0 with (0 * (k * k_1)) by ring.
        apply Qmult_le_compat_r; [change 0 with (iz 0); rewrite <- Zle_Qle; lia|lra]. }
    rewrite (sum_range_ext (width w) _ (fun n => (k * k_1 * k_2) * (iz (at_ (relus u) n) * iz (at_ (nth n (w_out w) []) c)))).
    2: { intros n Hn. rewrite N by trivial. unfold entry_at. ring. }
    rewrite sum_scale, <- (comb_sum (relus u) (w_out w) c (width w))
      by (unfold relus; rewrite map_length, combine_length; lia).
    rewrite Hz. unfold through. rewrite !at_add, at_scale, !inject_Z_plus, inject_Z_mult.
    assert (E : iz (Zpos (D_1 w * D_2 w)) * (k * k_1 * k_2) == k).
    { unfold k_1, k_2. rewrite Pos2Z.inj_mul, inject_Z_mult.
      transitivity (k * (iz (Zpos (D_1 w)) * (1 # D_1 w)) * (iz (Zpos (D_2 w)) * (1 # D_2 w))); [ring|].
      rewrite !cancels. ring. }
    rewrite <- E at 1. ring.
  Qed.

  Definition read_off (y : list Z) (b : nat) : Z := (dot y (nth b (w_U w) []) + at_ (bias_U w) b)%Z.
  Definition k_end : Q := k * k_1 * k_2 * k_U.

  (** The logits of the transformer are those of the whole numbers. *)
  Theorem logit_at s r b y :
    shapes = true -> subject_fits s = true -> relation_fits r = true ->
    fits (add (from_subject s) (from_relation r)) (dim w) = true ->
    y = through (add (from_subject s) (from_relation r)) -> fits y (dim w) = true ->
    logit model [(s, 0); (subjects w + r, 1)]%nat b == iz (read_off y b) * k_end.
  Proof.
    intros Sh Fs Fr Fu -> Fy. unfold logit. cbn [length]. change (2 - 1)%nat with 1%nat. cbn [W_U b_U model].
    rewrite flat_times. unfold read_off. apply Nat.leb_le in Fy.
    rewrite inject_Z_plus, (dot_sum _ _ (dim w) Fy), Qmult_plus_distr_l. apply Qplus_comp; [|unfold k_end; ring].
    rewrite Qmult_comm, <- sum_scale. apply sum_ext. intros i _. unfold residual. cbn [layers fold_left run].
    transitivity (iz (at_ (through (add (from_subject s) (from_relation r))) i) * (k * k_1 * k_2) * (entry_at (w_U w) b (component (Readout i)) * k_U)).
    - apply Qmult_comp; [|reflexivity].
      exact (applied_at _ (attended (stream model) (heads (hd (mkLayer [] None) (layers model)))
        (embedded model [(s, 0); (subjects w + r, 1)]%nat) 1) i Sh Fu (fun c => attended_at s r c Fs Fr)).
    - unfold entry_at, k_end. cbn [component]. ring.
  Qed.
End Model.

(** * The check by a codebook: linear in facts and attributes *)

From Coq Require Import FMapPositive NArith ZArith.

(** A word as one number: words whose numbers increase are different. *)
Definition key (base : Z) (x : list Z) : Z := fold_right (fun a acc => a + base * acc)%Z 0%Z x.

Fixpoint increasing (l : list Z) : bool :=
  match l with a :: (b :: _) as rest => (a <? b)%Z && increasing rest | _ => true end.

Lemma increasing_lt l i j : increasing l = true -> (i < j < length l)%nat -> (at_ l i < at_ l j)%Z.
Proof.
  assert (Step : forall l i, increasing l = true -> (S i < length l)%nat -> (at_ l i < at_ l (S i))%Z).
  { clear. induction l as [|a [|b l] IH]; intros i H L; cbn in L; try lia. cbn [increasing] in H.
    apply andb_prop in H as [H H']. apply Z.ltb_lt in H. destruct i; [exact H|].
    apply (IH i H'). cbn. lia. }
  intros H [L L']. induction j as [|j IH]; [lia|]. destruct (Nat.eq_dec i j) as [->|].
  - now apply Step.
  - specialize (IH ltac:(lia) ltac:(lia)). specialize (Step l j H L'). lia.
Qed.

Lemma key_zeros base x : forallb (Z.eqb 0) x = true -> key base x = 0%Z.
Proof.
  induction x as [|a x IH]; intro H; [reflexivity|]. cbn [forallb] in H. apply andb_prop in H as [E H].
  apply Z.eqb_eq in E. change (key base (a :: x)) with (a + base * key base x)%Z. rewrite IH by trivial. lia.
Qed.

Lemma same_key base x y : same_list x y = true -> key base x = key base y.
Proof.
  revert y. induction x as [|a x IH]; intros [|b y] H.
  - reflexivity.
  - symmetry. now apply key_zeros.
  - now apply key_zeros.
  - cbn [same_list] in H. apply andb_prop in H as [E H]. apply Z.eqb_eq in E as ->.
    change (b + base * key base x = b + base * key base y)%Z. now rewrite (IH y H).
Qed.

Lemma differ x y m : length x = m -> length y = m -> same_list x y = false ->
  exists j, (j < m)%nat /\ at_ x j <> at_ y j.
Proof.
  revert y m. induction x as [|a x IH]; intros [|b y] m L L' H; cbn in L, L'; subst; try discriminate.
  cbn [same_list] in H. destruct (Z.eqb_spec a b) as [->|D].
  - destruct (IH y (length x) eq_refl ltac:(lia) H) as (j & J & D). exists (S j). split; [lia|exact D].
  - exists 0%nat. split; [lia|exact D].
Qed.

Section Codebook.
  (** W_U = factor x words; readings are kappa times a word; entries of words agree modulo g. *)
  Variables (w : Weights) (R m : nat) (answers : list (list N)) (factor words : list (list Z)) (kappa g base : Z) (mu : Q).
  Let A := outputs w.

  Definition word (b : nat) : list Z := nth b words [].
  Definition answer (r s : nat) : nat := N.to_nat (nth s (nth r answers []) 0%N).
  Definition congruent (x y : list Z) : bool := forallb (fun p => ((fst p - snd p) mod g =? 0)%Z) (combine x y).

  Definition shelf : PositiveMap.t (list Z) :=
    fold_left (fun t p => PositiveMap.add (N.succ_pos (N.of_nat (fst p))) (snd p) t) (combine (range A) words)
      (PositiveMap.empty _).
  Definition taken (t : PositiveMap.t (list Z)) (b : N) : list Z :=
    match PositiveMap.find (N.succ_pos b) t with Some x => x | None => [] end.

  Definition norms : Z := (2 * at_ (bias_U w) 0 + kappa * dot (word 0) (word 0))%Z.

  Definition output_ok (t : PositiveMap.t (list Z)) (p : (nat * list Z) * (list Z * Z)) : bool :=
    let '((b, x), (column, bias)) := p in
    same_list column (comb x factor) && (length x =? m)%nat && congruent x (word 0)
    && (2 * bias + kappa * dot x x =? norms)%Z && same_list (taken t (N.of_nat b)) x.

  Definition outputs_ok (t : PositiveMap.t (list Z)) : bool :=
    ((length words =? A) && (length (w_U w) =? A) && (length (bias_U w) =? A))%nat
    && forallb (output_ok t) (combine (combine (range A) words) (combine (w_U w) (bias_U w)))
    && increasing (map (key base) words).

  Definition fact_ok (t : PositiveMap.t (list Z)) (u : list Z) (a : N) : bool :=
    let y := through w u in
    fits u (dim w) && fits y (dim w) && (a <? N.of_nat A)%N
    && same_list (map (dot y) factor) (scale kappa (taken t a)).

  Definition facts_ok (t : PositiveMap.t (list Z)) : bool :=
    let qs := map (fun r => (r, from_relation w r)) (range R) in
    forallb (relation_fits w) (range R) &&
    forallb (fun s => subject_fits w s &&
      let p := from_subject w s in
      forallb (fun q => fact_ok t (add p (snd q)) (nth s (nth (fst q) answers []) 0%N)) qs) (range (subjects w)).

  Definition check : bool :=
    (0 <? kappa)%Z && (0 <? g)%Z && (length factor =? m)%nat && Qle_bool mu (iz (kappa * (g * g)) * (1 # 2) * k_end w)
    && shapes w && (let t := shelf in outputs_ok t && facts_ok t).

  Hypothesis C : check = true.

  Lemma checked : (0 < kappa)%Z /\ (0 < g)%Z /\ length factor = m /\ mu <= iz (kappa * (g * g)) * (1 # 2) * k_end w
    /\ shapes w = true /\ outputs_ok shelf = true /\ facts_ok shelf = true.
  Proof.
    unfold check in C. rewrite !andb_true_iff in C. destruct C as (((((K & G) & L) & M) & Sh) & O & F).
    apply Z.ltb_lt in K, G. apply Nat.eqb_eq in L. apply Qle_bool_iff in M. auto 9.
  Qed.

  Lemma output_at b : (b < A)%nat ->
    same_list (nth b (w_U w) []) (comb (word b) factor) = true /\ length (word b) = m
    /\ congruent (word b) (word 0) = true
    /\ (2 * at_ (bias_U w) b + kappa * dot (word b) (word b) = norms)%Z
    /\ same_list (taken shelf (N.of_nat b)) (word b) = true.
  Proof.
    intro Hb. destruct checked as (_ & _ & _ & _ & _ & O & _). unfold outputs_ok in O.
    rewrite !andb_true_iff, !Nat.eqb_eq in O. destruct O as ((((L & L') & L'') & F) & _).
    rewrite forallb_forall in F. specialize (F ((b, word b), (nth b (w_U w) [], at_ (bias_U w) b))).
    unfold output_ok in F. rewrite !andb_true_iff, Nat.eqb_eq, Z.eqb_eq in F.
    assert (LR : length (range A) = A) by (unfold range; apply seq_length).
    destruct F as ((((F1 & F2) & F3) & F4) & F5); [|auto 6].
    replace ((b, word b), (nth b (w_U w) [], at_ (bias_U w) b))
      with (nth b (combine (combine (range A) words) (combine (w_U w) (bias_U w))) ((0%nat, []), ([], 0%Z))).
    - apply nth_In. rewrite !combine_length, LR. lia.
    - rewrite !combine_nth by (rewrite ?combine_length, ?LR; lia). unfold range. rewrite seq_nth by trivial. reflexivity.
  Qed.

  Lemma apart a b : (a < A)%nat -> (b < A)%nat -> a <> b ->
    iz (g * g) <= squared_distance m (fun b j => iz (at_ (word b) j)) a b.
  Proof.
    intros Ha Hb D. destruct (output_at a Ha) as (_ & La & Ca & _). destruct (output_at b Hb) as (_ & Lb & Cb & _).
    destruct (output_at 0 ltac:(lia)) as (_ & L0 & _).
    assert (Mod : forall c j, length (word c) = m -> congruent (word c) (word 0) = true -> (j < m)%nat ->
      exists z, (at_ (word c) j - at_ (word 0) j = g * z)%Z).
    { intros c j Lc Cc J. unfold congruent in Cc. rewrite forallb_forall in Cc.
      specialize (Cc (at_ (word c) j, at_ (word 0) j)). cbn [fst snd] in Cc. rewrite Z.eqb_eq in Cc.
      destruct checked as (_ & G & _). exists ((at_ (word c) j - at_ (word 0) j) / g)%Z.
      apply Z_div_exact_full_2; [lia|]. apply Cc.
      replace (at_ (word c) j, at_ (word 0) j) with (nth j (combine (word c) (word 0)) (0%Z, 0%Z))
        by (apply combine_nth; lia).
      apply nth_In. rewrite combine_length. lia. }
    apply words_apart.
    - intros j J. destruct (Mod a j La Ca J) as (z & E). destruct (Mod b j Lb Cb J) as (z' & E').
      exists (z - z')%Z. unfold Qminus. rewrite <- inject_Z_opp, <- inject_Z_plus.
      replace (at_ (word a) j + - at_ (word b) j)%Z with (g * (z - z'))%Z by lia. reflexivity.
    - destruct (same_list (word a) (word b)) eqn:E.
      + exfalso. apply (same_key base) in E. destruct checked as (_ & _ & _ & _ & _ & O & _). unfold outputs_ok in O.
        rewrite !andb_true_iff, !Nat.eqb_eq in O. destruct O as ((((L & _) & _) & _) & I).
        assert (At : forall c, (c < A)%nat -> at_ (map (key base) words) c = key base (word c)).
        { intros c Hc. unfold at_, word. rewrite (nth_indep _ 0%Z (key base [])) by (rewrite map_length; lia). apply map_nth. }
        destruct (Nat.lt_ge_cases a b).
        * assert (Lt : (at_ (map (key base) words) a < at_ (map (key base) words) b)%Z)
             by (apply increasing_lt; [exact I|rewrite map_length; fold A in L; lia]). rewrite !At in Lt by trivial. lia.
        * assert (Lt : (at_ (map (key base) words) b < at_ (map (key base) words) a)%Z)
             by (apply increasing_lt; [exact I|rewrite map_length; fold A in L; lia]). rewrite !At in Lt by trivial. lia.
      + destruct (differ _ _ m La Lb E) as (j & J & Ne). exists j. split; trivial.
        intro Eq. apply Ne. now apply inject_Z_injective.
  Qed.

  (** ** Every margin of every fact is at least mu *)

  Theorem certified s r b : (s < subjects w)%nat -> (r < R)%nat -> (b < A)%nat -> b <> answer r s ->
    let p := [(s, 0); (subjects w + r, 1)]%nat in
    mu <= logit (model w) p (answer r s) - logit (model w) p b.
  Proof.
    intros Hs Hr Hb Ne p. destruct checked as (K & _ & LF & M & Sh & _ & F). unfold facts_ok in F.
    rewrite andb_true_iff, !forallb_forall in F. destruct F as [Fr F].
    specialize (Fr r (proj2 (in_range r R) Hr)). specialize (F s (proj2 (in_range s _) Hs)).
    rewrite andb_true_iff, forallb_forall in F. destruct F as [Fs F].
    specialize (F (r, from_relation w r)). cbn [fst snd] in F. unfold fact_ok in F. rewrite !andb_true_iff in F.
    destruct F as (((Fu & Fy) & Fa) & Fl).
    { apply (in_map (fun r => (r, from_relation w r))). now apply in_range. }
    set (u := add (from_subject w s) (from_relation w r)) in *. set (y := through w u) in *.
    apply N.ltb_lt in Fa. assert (Ha : (answer r s < A)%nat) by (unfold answer; lia).
    unfold p. rewrite !(logit_at w s r _ y) by (trivial; reflexivity).
    assert (Y : forall k, (k < m)%nat -> iz (dot y (nth k factor [])) == iz kappa * iz (at_ (word (answer r s)) k)).
    { intros k Hk. pose proof (same_at _ _ k Fl) as E. rewrite at_scale in E.
      destruct (output_at _ Ha) as (_ & _ & _ & _ & T). apply (same_at _ _ k) in T.
      unfold answer at 1 in T. rewrite N2Nat.id in T. rewrite T in E. rewrite <- inject_Z_mult, <- E.
      unfold at_. rewrite (nth_indep _ 0%Z (dot y [])) by (rewrite map_length; lia). rewrite map_nth. reflexivity. }
    set (v := fun b j => iz (at_ (word b) j)).
    assert (L : forall c, (c < A)%nat -> iz (read_off w y c)
      == iz kappa * ((Σ j ∈ range m, (v (answer r s) j * v c j)) + (iz norms / iz kappa - squared_norm m v c) * (1 # 2))).
    { intros c Hc. destruct (output_at c Hc) as (Col & Lc & _ & Nm & _). unfold read_off. rewrite inject_Z_plus.
      apply Nat.leb_le in Fy.
      assert (Kz : ~ iz kappa == 0) by (intro Eq; change 0 with (iz 0) in Eq; apply (proj1 (inject_Z_injective _ _)) in Eq; lia).
      assert (D1 : iz (dot y (nth c (w_U w) [])) == iz kappa * Σ j ∈ range m, (v (answer r s) j * v c j)).
      { rewrite (dot_sum y _ (dim w) Fy), <- sum_scale.
        rewrite (sum_ext _ _ (fun i => Σ j ∈ range m, (iz (at_ y i) * (iz (at_ (word c) j) * iz (at_ (nth j factor []) i))))).
        2: { intros i _. rewrite (same_at _ _ i Col), (comb_sum (word c) factor i m) by lia. now rewrite sum_scale. }
        rewrite sum_swap. apply sum_range_ext. intros j J.
        rewrite (sum_ext _ _ (fun i => iz (at_ (word c) j) * (iz (at_ y i) * iz (at_ (nth j factor []) i)))) by (intros; ring).
        rewrite sum_scale, <- (dot_sum y _ (dim w) Fy), Y by trivial. unfold v. ring. }
      assert (D2 : iz 2 * iz (at_ (bias_U w) c) + iz kappa * squared_norm m v c == iz norms).
      { rewrite <- Nm, inject_Z_plus, !inject_Z_mult, (dot_sum (word c) (word c) m) by lia. reflexivity. }
      rewrite D1. setoid_replace (iz norms) with (iz 2 * iz (at_ (bias_U w) c) + iz kappa * squared_norm m v c) by (now rewrite D2).
      change (iz 2) with 2. field. exact Kz. }
    rewrite !L by trivial.
    pose proof (apart (answer r s) b Ha Hb (not_eq_sym Ne)) as Ap. fold v in Ap.
    pose proof (nearest_neighbour m v (fun c => (iz norms / iz kappa - squared_norm m v c) * (1 # 2)) (v (answer r s)) (answer r s) b) as NN.
    cbv beta in NN.
    apply Qle_trans with (iz (kappa * (g * g)) * (1 # 2) * k_end w); [exact M|].
    rewrite inject_Z_mult.
    assert (P : 0 <= iz kappa * k_end w).
    { apply Qmult_le_0_compat; [change 0 with (iz 0); rewrite <- Zle_Qle; lia|]. apply Qlt_le_weak. reflexivity. }
    match goal with |- _ <= ?l => setoid_replace l with ((squared_distance m v (answer r s) b * (1 # 2)) * (iz kappa * k_end w)) end.
    - setoid_replace (iz kappa * iz (g * g) * (1 # 2) * k_end w) with ((iz (g * g) * (1 # 2)) * (iz kappa * k_end w)) by ring.
      apply Qmult_le_compat_r; trivial. lra.
    - rewrite <- (Qmult_comm (iz kappa * k_end w)). setoid_replace (squared_distance m v (answer r s) b * (1 # 2))
        with (squared_distance m v (answer r s) b / 2) by reflexivity.
      rewrite <- NN; [ring| |reflexivity].
      exists (iz norms / iz kappa * (1 # 2)). intro c. unfold Qdiv at 3. change (/ 2) with (1 # 2). ring.
  Qed.
End Codebook.
