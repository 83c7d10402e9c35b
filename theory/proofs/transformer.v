(** The setting: a decoder-only transformer with rational weights, as functions.

    A vector is a function from directions, a matrix a function of two of them; positions are numbers.
    x_t = W_E[token] + W_pos[position]; a layer adds attention, then its MLP; the logits are x_last W_U + b_U.
    Equality of rationals is ==. Nothing here is an axiom. *)

From Coq Require Export FinFun QArith Qminmax Lqa List Arith Lia Bool Setoid Morphisms.
Export ListNotations.
Open Scope Q_scope.

Global Arguments Qred : simpl never.
Global Arguments Qplus : simpl never.
Global Arguments Qminus : simpl never.
Global Arguments Qmult : simpl never.
Global Arguments inject_Z : simpl never.

(** * Finite sums. Terms are reduced as they are added, so that they can also be computed. *)

Fixpoint sum {A} (l : list A) (f : A -> Q) : Q :=
  match l with [] => 0 | a :: l => Qred (f a + sum l f) end.

Notation "'Σ' i ∈ l , e" := (sum l (fun i => e)) (at level 48, i name, l at level 10, e at level 48).

Definition range (n : nat) : list nat := seq 0 n.

Lemma in_range i n : In i (range n) <-> (i < n)%nat.
Proof. unfold range. rewrite in_seq. lia. Qed.

Section Sums.
  Context {A : Type}.
  Implicit Types (l : list A) (f g : A -> Q).

  Lemma sum_cons a l f : sum (a :: l) f == f a + sum l f.
  Proof. apply Qred_correct. Qed.

  Lemma sum_ext l f g : (forall a, In a l -> f a == g a) -> sum l f == sum l g.
  Proof.
    induction l as [|a l IH]; intro E; [reflexivity|].
    rewrite !sum_cons, (E a (or_introl eq_refl)), IH; [reflexivity|]. intros. apply E. now right.
  Qed.

  Lemma sum_0 l f : (forall a, In a l -> f a == 0) -> sum l f == 0.
  Proof.
    induction l as [|a l IH]; intro E; [reflexivity|].
    rewrite sum_cons, (E a (or_introl eq_refl)), IH; [lra|]. intros. apply E. now right.
  Qed.

  Lemma sum_app l l' f : sum (l ++ l') f == sum l f + sum l' f.
  Proof. induction l as [|a l IH]; [cbn; lra|]. simpl app. rewrite !sum_cons, IH. lra. Qed.

  Lemma sum_plus l f g : Σ a ∈ l, (f a + g a) == sum l f + sum l g.
  Proof. induction l as [|a l IH]; [cbn; lra|]. rewrite !sum_cons, IH. lra. Qed.

  Lemma sum_scale k l f : Σ a ∈ l, (k * f a) == k * sum l f.
  Proof. induction l as [|a l IH]; [cbn; lra|]. rewrite !sum_cons, IH. lra. Qed.

  Lemma sum_le l f g : (forall a, In a l -> f a <= g a) -> sum l f <= sum l g.
  Proof.
    induction l as [|a l IH]; intro E; [apply Qle_refl|]. rewrite !sum_cons.
    pose proof (E a (or_introl eq_refl)).
    assert (sum l f <= sum l g) by (apply IH; intros; apply E; now right). lra.
  Qed.

  Lemma sum_at_least l f a : In a l -> (forall b, In b l -> 0 <= f b) -> f a <= sum l f.
  Proof.
    induction l as [|b l IH]; intros I P; [destruct I|]. rewrite sum_cons.
    assert (0 <= f b) by (apply P; now left).
    assert (0 <= sum l f) by (rewrite <- (sum_0 l (fun _ => 0)) by reflexivity; apply sum_le; intros; apply P; now right).
    destruct I as [->|I]; [lra|]. assert (f a <= sum l f) by (apply IH; trivial; intros; apply P; now right). lra.
  Qed.

  Lemma sum_positive l f a : In a l -> (forall b, In b l -> 0 <= f b) -> 0 < f a -> 0 < sum l f.
  Proof. intros I P H. pose proof (sum_at_least l f a I P). lra. Qed.

  (** All terms but one are 0. *)
  Lemma sum_one a l f :
    NoDup l -> In a l -> (forall b, In b l -> b <> a -> f b == 0) -> sum l f == f a.
  Proof.
    induction l as [|b l IH]; intros D I E; [destruct I|]. rewrite sum_cons. inversion_clear D as [|? ? N D'].
    destruct I as [->|I].
    - rewrite (sum_0 l); [lra|]. intros c Ic. apply E; [now right|]. now intros ->.
    - rewrite (E b (or_introl eq_refl)) by (now intros ->). rewrite IH; trivial; [lra|].
      intros. apply E; [now right|trivial].
  Qed.
End Sums.

Lemma sum_map {A B} (h : A -> B) l f : sum (map h l) f == Σ a ∈ l, (f (h a)).
Proof. induction l as [|a l IH]; simpl map; rewrite ?sum_cons, ?IH; reflexivity. Qed.

Lemma sum_pairs {A B} (l : list A) (l' : list B) f :
  sum (list_prod l l') f == Σ a ∈ l, Σ b ∈ l', (f (a, b)).
Proof.
  induction l as [|a l IH]; [reflexivity|]. simpl list_prod. now rewrite sum_app, sum_map, IH, sum_cons.
Qed.

Lemma sum_swap {A B} (l : list A) (l' : list B) f :
  Σ a ∈ l, Σ b ∈ l', (f a b) == Σ b ∈ l', Σ a ∈ l, (f a b).
Proof.
  induction l as [|a l IH]; [symmetry; now apply sum_0|]. rewrite sum_cons, IH.
  transitivity (Σ b ∈ l', (f a b + Σ a ∈ l, (f a b))); [now rewrite sum_plus|].
  apply sum_ext. intros. now rewrite sum_cons.
Qed.

Lemma sum_range_one n k f :
  (k < n)%nat -> (forall i, (i < n)%nat -> i <> k -> f i == 0) -> sum (range n) f == f k.
Proof.
  intros L E. apply sum_one; [apply seq_NoDup|now apply in_range|]. intros b I. apply E. now apply in_range.
Qed.

Lemma sum_range_ext n f g : (forall i, (i < n)%nat -> f i == g i) -> sum (range n) f == sum (range n) g.
Proof. intro E. apply sum_ext. intros i I. now apply E, in_range. Qed.

Lemma sum_range_0 n f : (forall i, (i < n)%nat -> f i == 0) -> sum (range n) f == 0.
Proof. intro E. apply sum_0. intros i I. now apply E, in_range. Qed.

Lemma NoDup_list_prod {A B} (l : list A) (l' : list B) : NoDup l -> NoDup l' -> NoDup (list_prod l l').
Proof.
  intros D D'. induction D as [|a l N D IH]; [constructor|]. cbn [list_prod].
  assert (M : NoDup (map (fun b => (a, b)) l')) by (apply FinFun.Injective_map_NoDup; [now intros ? ? [= ->]|trivial]).
  revert M. assert (X : forall p, In p (map (fun b => (a, b)) l') -> ~ In p (list_prod l l')).
  { intros p I I'. apply in_map_iff in I as (b & <- & _). apply in_prod_iff in I' as [I' _]. contradiction. }
  revert X. generalize (map (fun b => (a, b)) l'). intros l2 X M. induction M as [|p l2 N2 M IH2]; [trivial|].
  cbn. constructor; [|apply IH2; intros; apply X; now right].
  rewrite in_app_iff. intros [I|I]; [contradiction|]. apply (X p); [now left|trivial].
Qed.

Lemma sum_range_S n f : sum (range (S n)) f == f 0%nat + Σ i ∈ range n, (f (S i)).
Proof. unfold range. cbn [seq]. rewrite sum_cons, <- seq_shift, sum_map. reflexivity. Qed.

(** * The residual stream: named directions, in the order in which the code lays them out. *)

Inductive direction :=
  | Block (b j : nat) | Readout (j : nat) | Key (i : nat) | Query (i : nat)
  | Relation (r : nat) | Asked (r : nat) | Position (t : nat).

Definition same (c d : direction) : bool :=
  match c, d with
  | Block b j, Block b' j' => (b =? b') && (j =? j')
  | Readout i, Readout i' | Key i, Key i' | Query i, Query i'
  | Relation i, Relation i' | Asked i, Asked i' | Position i, Position i' => i =? i'
  | _, _ => false
  end%nat.

Lemma same_spec c d : reflect (c = d) (same c d).
Proof.
  apply iff_reflect. destruct c, d; simpl; rewrite ?andb_true_iff, ?Nat.eqb_eq; split; intro E;
    inversion E; subst; auto; discriminate.
Qed.

Lemma same_refl c : same c c = true.
Proof. now destruct (same_spec c c). Qed.

(** How many directions there are of each name. *)
Record space := Space {
  n_blocks : nat; word_length : nat; n_readout : nat; n_key : nat; n_relation : nat; n_asked : nat;
  n_position : nat }.

Definition directions (S : space) : list direction :=
  map (fun p => Block (fst p) (snd p)) (list_prod (range (n_blocks S)) (range (word_length S)))
  ++ map Readout (range (n_readout S)) ++ map Key (range (n_key S)) ++ map Query (range (n_key S))
  ++ map Relation (range (n_relation S)) ++ map Asked (range (n_asked S))
  ++ map Position (range (n_position S)).

Definition inside (S : space) (c : direction) : Prop :=
  match c with
  | Block b j => b < n_blocks S /\ j < word_length S
  | Readout j => j < n_readout S
  | Key i | Query i => i < n_key S
  | Relation r => r < n_relation S
  | Asked r => r < n_asked S
  | Position t => t < n_position S
  end%nat.

Lemma sum_directions S f :
  sum (directions S) f ==
    Σ b ∈ range (n_blocks S), Σ j ∈ range (word_length S), (f (Block b j))
    + Σ j ∈ range (n_readout S), (f (Readout j)) + Σ i ∈ range (n_key S), (f (Key i))
    + Σ i ∈ range (n_key S), (f (Query i)) + Σ r ∈ range (n_relation S), (f (Relation r))
    + Σ r ∈ range (n_asked S), (f (Asked r)) + Σ t ∈ range (n_position S), (f (Position t)).
Proof. unfold directions. rewrite !sum_app, !sum_map, sum_pairs. simpl. ring. Qed.

(** All directions but one are 0. *)
Lemma sum_directions_one S c f :
  inside S c -> (forall d, d <> c -> f d == 0) -> sum (directions S) f == f c.
Proof.
  intros I E. rewrite sum_directions.
  destruct c as [b j|j|i|i|r|r|t]; simpl in I;
    [destruct I as [I I']; rewrite (sum_range_one _ b), (sum_range_one _ j)
    |rewrite (sum_range_one (n_readout S) j)
    |rewrite (sum_range_one _ i (fun i => f (Key i)))
    |rewrite (sum_range_one _ i (fun i => f (Query i)))
    |rewrite (sum_range_one _ r (fun r => f (Relation r)))
    |rewrite (sum_range_one _ r (fun r => f (Asked r)))
    |rewrite (sum_range_one _ t (fun t => f (Position t)))];
    trivial; try (intros; try (apply sum_range_0; intros); apply E; congruence);
    repeat match goal with
    | |- context [sum (range ?n) (fun i => @?g i)] =>
        rewrite (sum_range_0 n g) by (intros; try (apply sum_range_0; intros); apply E; congruence)
    end; ring.
Qed.

(** Reading one direction with a weight. *)
Lemma read S c w x :
  inside S c -> Σ d ∈ (directions S), (x d * (if same d c then w else 0)) == x c * w.
Proof.
  intro I. rewrite (sum_directions_one S c); [now rewrite same_refl|trivial|].
  intros d N. destruct (same_spec d c); [contradiction|ring].
Qed.

(** * Weights *)

Definition vector := direction -> Q.

Record Head := mkHead {
  scored : list nat; W_Q : direction -> nat -> Q; W_K : direction -> nat -> Q;
  carried : list direction; W_V : direction -> direction -> Q; W_O : direction -> direction -> Q }.

Record MLP := mkMLP {
  neuron : Type; neurons : list neuron;
  W_in : direction -> neuron -> Q; b_in : neuron -> Q; W_out : neuron -> direction -> Q; b_out : direction -> Q }.

Record Layer := mkLayer { heads : list Head; mlp : option MLP }.

Record Transformer := mkTransformer {
  stream : space; W_E : nat -> vector; W_pos : nat -> vector; layers : list Layer;
  W_U : direction -> nat -> Q; b_U : nat -> Q }.

(** * The forward pass *)

Definition relu (x : Q) : Q := if Qle_bool x 0 then 0 else x.

Lemma relu_off x : x <= 0 -> relu x == 0.
Proof. unfold relu. intro H. now rewrite (proj2 (Qle_bool_iff x 0) H). Qed.

Lemma relu_on x : 0 <= x -> relu x == x.
Proof.
  unfold relu. destruct (Qle_bool x 0) eqn:E; [|reflexivity]. apply Qle_bool_iff in E. intro. lra.
Qed.

Global Instance relu_proper : Proper (Qeq ==> Qeq) relu.
Proof.
  intros x y E. destruct (Qlt_le_dec 0 x) as [L|L]; [rewrite !relu_on|rewrite !relu_off]; lra.
Qed.

(** Hard attention: equal weights on the positions up to t with the largest score. For equal scores this is
    the uniform distribution, which softmax gives as well. *)
Definition largest (score : nat -> Q) (t i : nat) : bool :=
  forallb (fun j => Qle_bool (score j) (score i)) (range (S t)).

Definition hard (score : nat -> Q) (t i : nat) : Q :=
  if largest score t i then 1 / inject_Z (Z.of_nat (length (filter (largest score t) (range (S t))))) else 0.

Section Forward.
  Variable S : space.

  Definition times {B} (x : vector) (W : direction -> B -> Q) (b : B) : Q := Σ c ∈ (directions S), (x c * W c b).

  Definition score (h : Head) (x : nat -> vector) (t i : nat) : Q :=
    Σ a ∈ (scored h), (times (x t) (W_Q h) a * times (x i) (W_K h) a).

  Definition attend (h : Head) (x : nat -> vector) (t : nat) (c : direction) : Q :=
    Σ a ∈ (carried h),
      ((Σ i ∈ range (t + 1), (hard (score h x t) t i * times (x i) (W_V h) a)) * W_O h a c).

  Definition attended (hs : list Head) (x : nat -> vector) (t : nat) (c : direction) : Q :=
    x t c + Σ h ∈ hs, (attend h x t c).

  Definition applied (f : MLP) (x : vector) (c : direction) : Q :=
    x c + (Σ n ∈ (neurons f), (relu (times x (W_in f) n + b_in f n) * W_out f n c) + b_out f c).

  Definition run (L : Layer) (x : nat -> vector) (t : nat) : vector :=
    match mlp L with None => attended (heads L) x t | Some f => applied f (attended (heads L) x t) end.
End Forward.

(** A prompt: tokens, and the position that each of them is given. *)
Definition prompt := list (nat * nat).

Definition embedded (M : Transformer) (p : prompt) (t : nat) : vector :=
  let (token, position) := nth t p (0, 0)%nat in fun c => W_E M token c + W_pos M position c.

Definition residual (M : Transformer) (p : prompt) : nat -> vector :=
  fold_left (fun x L => run (stream M) L x) (layers M) (embedded M p).

Definition logit (M : Transformer) (p : prompt) (a : nat) : Q :=
  times (stream M) (residual M p (length p - 1)) (W_U M) a + b_U M a.

(** ** Attention that reads one position, or all of them alike *)

Lemma filter_one {A} (f : A -> bool) l a :
  NoDup l -> In a l -> (forall b, In b l -> f b = true <-> b = a) -> filter f l = [a].
Proof.
  induction l as [|b l IH]; intros D I E; [destruct I|]. inversion_clear D as [|? ? N D']. simpl.
  destruct (f b) eqn:F.
  - apply (E b (or_introl eq_refl)) in F as ->. f_equal.
    clear - N E. assert (G : forall c, In c l -> f c = false).
    { intros c I. destruct (f c) eqn:F; trivial. apply E in F as ->; [contradiction|now right]. }
    clear - G. induction l as [|c l IH]; trivial. simpl. rewrite (G c); [apply IH|]; firstorder.
  - destruct I as [->|I].
    + rewrite (proj2 (E a (or_introl eq_refl)) eq_refl) in F. discriminate.
    + apply IH; trivial. intros c Ic. apply E. now right.
Qed.

Lemma largest_unique s t k i :
  (k <= t)%nat -> (forall j, (j <= t)%nat -> j <> k -> s j < s k) -> (i <= t)%nat ->
  largest s t i = true <-> i = k.
Proof.
  intros K U I. unfold largest. rewrite forallb_forall. split.
  - intro H. destruct (Nat.eq_dec i k) as [|N]; trivial. exfalso.
    specialize (H k). rewrite in_range, Qle_bool_iff in H. specialize (U i I N).
    assert (s k <= s i) by (apply H; lia). lra.
  - intros -> j J. apply in_range in J. apply Qle_bool_iff. destruct (Nat.eq_dec j k) as [->|N].
    + apply Qle_refl.
    + apply Qlt_le_weak, U; lia.
Qed.

Lemma hard_unique s t k i :
  (k <= t)%nat -> (forall j, (j <= t)%nat -> j <> k -> s j < s k) -> (i <= t)%nat ->
  hard s t i == if (i =? k)%nat then 1 else 0.
Proof.
  intros K U I. unfold hard. pose proof (largest_unique s t k i K U I) as L.
  destruct (Nat.eqb_spec i k) as [->|N].
  - rewrite (proj2 L eq_refl), (filter_one _ _ k); [reflexivity|apply seq_NoDup|apply in_range; lia|].
    intros j J. apply in_range in J. apply largest_unique; trivial. lia.
  - destruct (largest s t i); [exfalso; now apply N, L|reflexivity].
Qed.

Lemma hard_uniform s t i :
  (forall j k, (j <= t)%nat -> (k <= t)%nat -> s j == s k) -> (i <= t)%nat ->
  hard s t i == 1 / inject_Z (Z.of_nat (S t)).
Proof.
  intros E I. unfold hard.
  assert (T : forall j, In j (range (S t)) -> largest s t j = true).
  { intros j J. apply in_range in J. apply forallb_forall. intros k K. apply in_range in K.
    apply Qle_bool_iff. rewrite (E k j) by lia. apply Qle_refl. }
  rewrite T by (apply in_range; lia).
  assert (F : filter (largest s t) (range (S t)) = range (S t)).
  { revert T. generalize (range (S t)). intro l. induction l as [|j l IH]; intro T; trivial.
    simpl. rewrite T by now left. f_equal. apply IH. intros. apply T. now right. }
  rewrite F. unfold range. now rewrite seq_length.
Qed.

(** Uniform attention over the two tokens [s, r], W_Q = W_K = 0 and W_V W_O = 2 I: x becomes x_0 + 2 x_1. *)
Definition uniform (S : space) : Head :=
  mkHead [] (fun _ _ => 0) (fun _ _ => 0) (directions S)
    (fun c a => if same c a then 1 else 0) (fun a c => if same a c then 2 else 0).

Lemma attended_uniform S x c : inside S c -> attended S [uniform S] x 1 c == x 0%nat c + 2 * x 1%nat c.
Proof.
  intro I. unfold attended. rewrite sum_cons. unfold attend. cbn [carried uniform W_O W_V sum].
  rewrite (sum_directions_one S c _ I).
  2: { intros d N. destruct (same_spec d c); [contradiction|ring]. }
  rewrite same_refl. change (range (1 + 1)) with [0; 1]%nat. rewrite !sum_cons. cbn [sum].
  assert (W : forall i, (i <= 1)%nat -> hard (score S (uniform S) x 1) 1 i == 1 / 2).
  { intros i L. rewrite hard_uniform; trivial; reflexivity. }
  rewrite !W by lia. unfold times. rewrite !(read S c 1) by trivial. field.
Qed.

(** A head whose largest score is at one position reads that position. *)
Lemma hard_reads s t k f :
  (k <= t)%nat -> (forall j, (j <= t)%nat -> j <> k -> s j < s k) ->
  Σ i ∈ range (t + 1), (hard s t i * f i) == f k.
Proof.
  intros K U. rewrite (sum_range_one (t + 1) k); [|lia|].
  - rewrite (hard_unique s t k k), Nat.eqb_refl; trivial. ring.
  - intros i I D. rewrite (hard_unique s t k i), (proj2 (Nat.eqb_neq i k)); trivial; try lia. ring.
Qed.

Lemma times_ext S {B} x y (W : direction -> B -> Q) b : (forall c, x c == y c) -> times S x W b == times S y W b.
Proof. intro E. apply sum_ext. intros c _. now rewrite E. Qed.

Lemma times_plus S {B} x y (W : direction -> B -> Q) b :
  times S (fun c => x c + y c) W b == times S x W b + times S y W b.
Proof. unfold times. rewrite <- sum_plus. apply sum_ext. intros. ring. Qed.

Lemma applied_ext S f x y c : (forall c, x c == y c) -> applied S f x c == applied S f y c.
Proof.
  intro E. unfold applied. rewrite E. apply Qplus_comp; [reflexivity|]. apply Qplus_comp; [|reflexivity].
  apply sum_ext. intros n _. now rewrite (times_ext S x y).
Qed.

(** The answer is the one attribute (of those below A) with the largest logit. *)
Definition answers (M : Transformer) (A : nat) (p : prompt) (a : nat) : Prop :=
  forall b, (b < A)%nat -> b <> a -> logit M p b < logit M p a.
