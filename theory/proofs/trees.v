(** Whole numbers in trees: vectors and matrices that are quick to read, add and multiply, and their sums. *)

From Georecall Require Import transformer.
From Coq Require Import ZArith.

(** * Trees: entry i of a vector, row i of a matrix, found by the digits of i + 1. What is not there is 0. *)

Inductive tree (A : Type) := Leaf | Node (l : tree A) (a : A) (r : tree A).
Arguments Leaf {A}.
Arguments Node {A}.
Notation vec := (tree Z).
Notation mat := (tree vec).
Notation iz := inject_Z.
Notation key := Pos.of_succ_nat.

Fixpoint find {A} (none : A) (t : tree A) (p : positive) : A :=
  match t with
  | Leaf => none
  | Node l a r => match p with xH => a | xO p => find none l p | xI p => find none r p end
  end.

Definition at_ (x : vec) (i : nat) : Z := find 0%Z x (key i).
Definition row (W : mat) (i : nat) : vec := find Leaf W (key i).

(** No entry of a number above this one. *)
Fixpoint top {A} (t : tree A) : nat :=
  match t with
  | Leaf => 0
  | Node l _ r => Nat.max 1 (Nat.max (2 * top l) (match top r with O => 0 | n => 2 * n + 1 end))
  end.

Fixpoint each {A} (f : A -> bool) (t : tree A) : bool :=
  match t with Leaf => true | Node l a r => f a && each f l && each f r end.

Fixpoint map_tree {A B} (f : A -> B) (t : tree A) : tree B :=
  match t with Leaf => Leaf | Node l a r => Node (map_tree f l) (f a) (map_tree f r) end.

Fixpoint add (x y : vec) : vec :=
  match x, y with
  | Leaf, _ => y
  | _, Leaf => x
  | Node l a r, Node l' b r' => Node (add l l') (a + b)%Z (add r r')
  end.

Definition scale (k : Z) : vec -> vec := if (k =? 1)%Z then fun x => x else map_tree (Z.mul k).

Fixpoint dot (x y : vec) : Z :=
  match x, y with Node l a r, Node l' b r' => a * b + (dot l l' + dot r r') | _, _ => 0 end%Z.

(** x W: rows combined. *)
Fixpoint comb (x : vec) (W : mat) : vec :=
  match x, W with
  | Node l a r, Node l' w r' =>
      let rest := add (comb l l') (comb r r') in if (a =? 0)%Z then rest else add (scale a w) rest
  | _, _ => Leaf
  end.

Lemma find_beyond {A} (none : A) t p : (top t < Pos.to_nat p)%nat -> find none t p = none.
Proof.
  revert p. induction t as [|l IHl a r IHr]; intros p H; [reflexivity|]. cbn [top] in H. destruct p as [p|p|]; cbn [find].
  - apply IHr. rewrite Pos2Nat.inj_xI in H. destruct (top r); [pose proof (Pos2Nat.is_pos p)|]; lia.
  - apply IHl. rewrite Pos2Nat.inj_xO in H. lia.
  - rewrite Pos2Nat.inj_1 in H. lia.
Qed.

Lemma beyond {A} (none : A) t i : (top t <= i)%nat -> find none t (key i) = none.
Proof. intro H. apply find_beyond. rewrite SuccNat2Pos.id_succ. lia. Qed.

Lemma find_each {A} (none : A) f t p : each f t = true -> f none = true -> f (find none t p) = true.
Proof.
  intros H N. revert p. induction t as [|l IHl a r IHr]; intro p; [exact N|]. cbn [each] in H.
  rewrite !andb_true_iff in H. destruct H as ((? & ?) & ?). destruct p; cbn [find]; auto.
Qed.

Lemma find_map {A B} (f : A -> B) none t p : find (f none) (map_tree f t) p = f (find none t p).
Proof. revert p. induction t as [|l IHl a r IHr]; intros [p|p|]; cbn [map_tree find]; auto. Qed.

Lemma find_add x y p : find 0%Z (add x y) p = (find 0 x p + find 0 y p)%Z.
Proof.
  revert y p. induction x as [|l IHl a r IHr]; intros y p; [reflexivity|].
  destruct y as [|l' b r']; [cbn [add find]; lia|]. destruct p; cbn [add find]; auto.
Qed.

Lemma find_scale k x p : find 0%Z (scale k x) p = (k * find 0 x p)%Z.
Proof.
  unfold scale. destruct (Z.eqb_spec k 1) as [->|_]; [lia|].
  rewrite <- (find_map (Z.mul k) 0%Z x p). now rewrite Z.mul_0_r.
Qed.

Lemma at_add x y i : at_ (add x y) i = (at_ x i + at_ y i)%Z.
Proof. apply find_add. Qed.

Lemma at_scale k x i : at_ (scale k x) i = (k * at_ x i)%Z.
Proof. apply find_scale. Qed.

Lemma at_leaf i : at_ Leaf i = 0%Z.
Proof. reflexivity. Qed.

(** ** Sums over trees are sums over numbers *)

Lemma sum_range_last n f : sum (range (S n)) f == sum (range n) f + f n.
Proof. unfold range. rewrite seq_S, sum_app, sum_cons. cbn [sum Nat.add]. ring. Qed.

Lemma sum_longer n d f : (forall i, (n <= i)%nat -> f i == 0) -> sum (range (n + d)) f == sum (range n) f.
Proof.
  intro Z0. induction d as [|d IH]; [now rewrite Nat.add_0_r|].
  rewrite Nat.add_succ_r, sum_range_last, IH, Z0 by lia. ring.
Qed.

Lemma sum_halves n (f : positive -> Q) :
  Σ i ∈ range (2 * n + 1), (f (key i)) == f xH + (Σ i ∈ range n, (f (xO (key i))) + Σ i ∈ range n, (f (xI (key i)))).
Proof.
  induction n as [|n IH]; [cbn [range seq Nat.mul Nat.add]; rewrite sum_cons; cbn [sum]; reflexivity|].
  replace (2 * S n + 1)%nat with (S (S (2 * n + 1))) by lia.
  rewrite !sum_range_last, IH.
  replace (key (2 * n + 1)) with (xO (key n)) by lia. replace (key (S (2 * n + 1))) with (xI (key n)) by lia. ring.
Qed.

Lemma sum_tree n (f : positive -> Q) : (forall i, (n <= i)%nat -> f (key i) == 0) ->
  Σ i ∈ range n, (f (key i)) == f xH + (Σ i ∈ range n, (f (xO (key i))) + Σ i ∈ range n, (f (xI (key i)))).
Proof. intro H. rewrite <- sum_halves. replace (2 * n + 1)%nat with (n + (n + 1))%nat by lia. now rewrite sum_longer. Qed.

Lemma comb_find x W n j : (top W <= n)%nat ->
  iz (find 0%Z (comb x W) j) == Σ i ∈ range n, (iz (find 0%Z x (key i)) * iz (find 0%Z (find Leaf W (key i)) j)).
Proof.
  revert x. induction W as [|l IHl w r IHr]; intros x L.
  - symmetry. destruct x; cbn [comb find]; apply sum_0; intros; change (iz 0) with 0; ring.
  - destruct x as [|lx a rx].
    + symmetry. cbn [comb find]. apply sum_0. intros. change (iz 0) with 0. ring.
    + rewrite (sum_tree n (fun p => iz (find 0%Z (Node lx a rx) p) * iz (find 0%Z (find Leaf (Node l w r) p) j))).
      2: { intros i H. rewrite (find_beyond Leaf) by (rewrite SuccNat2Pos.id_succ; lia). cbn [find]. change (iz 0) with 0. ring. }
      cbn [find]. cbn [top] in L. rewrite <- IHl, <- IHr by (destruct (top r); lia).
      cbn [comb]. cbv zeta. destruct (Z.eqb_spec a 0) as [->|_].
      * rewrite find_add, inject_Z_plus. change (iz 0) with 0. ring.
      * rewrite !find_add, find_scale, !inject_Z_plus, inject_Z_mult. ring.
Qed.

Lemma comb_at x W n j : (top W <= n)%nat ->
  iz (at_ (comb x W) j) == Σ i ∈ range n, (iz (at_ x i) * iz (at_ (row W i) j)).
Proof. apply comb_find. Qed.

Lemma dot_top x y n : (top y <= n)%nat -> iz (dot x y) == Σ i ∈ range n, (iz (at_ x i) * iz (at_ y i)).
Proof.
  unfold at_. revert x. induction y as [|l IHl b r IHr]; intros x L.
  - symmetry. destruct x; cbn [dot]; apply sum_0; intros; cbn [find]; change (iz 0) with 0; ring.
  - destruct x as [|lx a rx].
    + symmetry. apply sum_0. intros. cbn [find]. change (iz 0) with 0. ring.
    + rewrite (sum_tree n (fun p => iz (find 0%Z (Node lx a rx) p) * iz (find 0%Z (Node l b r) p))).
      2: { intros i H. rewrite (find_beyond _ (Node l b r)) by (rewrite SuccNat2Pos.id_succ; lia). change (iz 0) with 0. ring. }
      cbn [find]. cbn [top] in L. rewrite <- IHl, <- IHr by (destruct (top r); lia).
      cbn [dot]. rewrite !inject_Z_plus, inject_Z_mult. ring.
Qed.

Lemma dot_at x y n : (forall i, (n <= i)%nat -> at_ x i = 0%Z) -> iz (dot x y) == Σ i ∈ range n, (iz (at_ x i) * iz (at_ y i)).
Proof.
  intro H. rewrite (dot_top x y (n + top y)) by lia. apply sum_longer. intros i I. rewrite H by trivial.
  change (iz 0) with 0. ring.
Qed.

Lemma at_sum us j : iz (at_ (fold_right add Leaf us) j) == Σ u ∈ us, (iz (at_ u j)).
Proof.
  induction us as [|u us IH]; [reflexivity|]. cbn [fold_right]. rewrite at_add, inject_Z_plus, sum_cons, IH. reflexivity.
Qed.

(** * Numbers as keys *)

Fixpoint upto (n : nat) (p : positive) : list positive :=
  match n with O => [] | S n => p :: upto n (Pos.succ p) end.

Lemma in_upto_from n i j : (i < n)%nat -> In (key (j + i)) (upto n (key j)).
Proof.
  revert i j. induction n as [|n IH]; intros i j H; [lia|]. destruct i as [|i]; [left; now rewrite Nat.add_0_r|right].
  replace (j + S i)%nat with (S j + i)%nat by lia. apply (IH i (S j)). lia.
Qed.

Lemma in_upto n i : (i < n)%nat -> In (key i) (upto n 1).
Proof. exact (in_upto_from n i 0). Qed.

Fixpoint put {A} (none : A) (t : tree A) (p : positive) (a : A) : tree A :=
  let '(l, x, r) := match t with Leaf => (Leaf, none, Leaf) | Node l x r => (l, x, r) end in
  match p with xH => Node l a r | xO p => Node (put none l p a) x r | xI p => Node l x (put none r p a) end.

Definition zeros : vec -> bool := each (Z.eqb 0).

Lemma zeros_find x p : zeros x = true -> find 0%Z x p = 0%Z.
Proof. intro H. symmetry. apply Z.eqb_eq. now apply (find_each 0%Z (Z.eqb 0)). Qed.

(** Equality but for zeros. *)
Fixpoint same_vec (x y : vec) : bool :=
  match x, y with
  | Node l a r, Node l' b r' => (a =? b)%Z && same_vec l l' && same_vec r r'
  | Leaf, y => zeros y
  | x, Leaf => zeros x
  end.

Lemma same_find x y p : same_vec x y = true -> find 0%Z x p = find 0%Z y p.
Proof.
  revert y p. induction x as [|l IHl a r IHr]; intros y p H.
  - symmetry. cbn [find]. apply zeros_find. now destruct y.
  - destruct y as [|l' b r']; [now apply zeros_find|]. cbn [same_vec] in H. rewrite !andb_true_iff, Z.eqb_eq in H.
    destruct H as ((-> & ?) & ?). destruct p; cbn [find]; auto.
Qed.

Lemma key_of z : Z.to_pos (z + 1) = key (Z.to_nat z).
Proof. destruct z as [|p|p]; [reflexivity|cbn; lia|now destruct p]. Qed.

(** ** How certificates write numbers: packed, each in some bits and raised by an offset, or one by one with its place *)

Fixpoint unpack (bits mask offset : Z) (n : nat) (z : Z) : list Z :=
  match n with
  | O => []
  | S n => (Z.land z mask - offset)%Z :: unpack bits mask offset n (Z.shiftr z bits)
  end.

Definition dense (l : list Z) : vec :=
  snd (fold_left (fun s z => (Pos.succ (fst s), if (z =? 0)%Z then snd s else put 0%Z (snd s) (fst s) z)) l (1%positive, Leaf)).
Definition sparse (l : list (Z * Z)) : vec := fold_left (fun t p => put 0%Z t (Z.to_pos (fst p + 1)) (snd p)) l Leaf.
Definition rows (l : list vec) : mat :=
  snd (fold_left (fun s x => (Pos.succ (fst s), match x with Leaf => snd s | _ => put Leaf (snd s) (fst s) x end)) l (1%positive, Leaf)).
