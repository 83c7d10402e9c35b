(** Weights at hand: a forward pass on whole numbers that equals the transformer's.

    Any number of layers, heads and neurons; hard attention (which equal scores share). Numbers stand over common
    denominators, which the pass multiplies up as it goes. *)

From Georecall Require Import transformer trees.
From Coq Require Import ZArith.

(** * Weights *)

Record head_at_hand := {
  score_dim : nat; value_dim : nat; n_Q : mat; n_K : mat; n_V : mat; n_O : mat; D_Q : positive; D_K : positive }.

Record mlp_at_hand := {
  width : nat; n_in : mat; n_b_in : vec; n_out : mat; n_b_out : vec; D_1 : positive; D_2 : positive }.

Record layer_at_hand := { n_heads : list head_at_hand; D_V : positive; D_O : positive; n_mlp : option mlp_at_hand }.

Record weights_at_hand := {
  dim : nat; n_E : mat; n_pos : mat; D_x : positive; n_layers : list layer_at_hand; n_U : mat; n_b_U : vec; D_U : positive }.

(** The transformer of these weights: entries over their denominators. *)
Definition k (D : positive) : Q := 1 # D.
Definition component (c : direction) : nat := match c with Readout i => i | _ => 0%nat end.
Definition entry (W : mat) (D : positive) (i j : nat) : Q := iz (at_ (row W i) j) * k D.

Definition head_of (L : layer_at_hand) (h : head_at_hand) : Head :=
  mkHead (range (score_dim h))
    (fun c a => entry (n_Q h) (D_Q h) (component c) a) (fun c a => entry (n_K h) (D_K h) (component c) a)
    (map Readout (range (value_dim h)))
    (fun c a => entry (n_V h) (D_V L) (component c) (component a))
    (fun a c => entry (n_O h) (D_O L) (component a) (component c)).

Definition mlp_of (f : mlp_at_hand) : MLP :=
  mkMLP nat (range (width f))
    (fun c n => entry (n_in f) (D_1 f) (component c) n) (fun n => iz (at_ (n_b_in f) n) * k (D_1 f))
    (fun n c => entry (n_out f) (D_2 f) n (component c)) (fun c => iz (at_ (n_b_out f) (component c)) * k (D_2 f)).

Definition layer_of (L : layer_at_hand) : Layer := mkLayer (map (head_of L) (n_heads L)) (option_map mlp_of (n_mlp L)).

Definition model (w : weights_at_hand) : Transformer :=
  mkTransformer (Space 0 0 (dim w) 0 0 0 0)
    (fun token c => entry (n_E w) (D_x w) token (component c)) (fun position c => entry (n_pos w) (D_x w) position (component c))
    (map layer_of (n_layers w))
    (fun c b => entry (n_U w) (D_U w) (component c) b) (fun b => iz (at_ (n_b_U w) b) * k (D_U w)).

(** Numbers of rows and columns, as said. *)
Definition head_fits (d : nat) (h : head_at_hand) : bool :=
  ((top (n_Q h) <=? d) && (top (n_K h) <=? d) && (top (n_V h) <=? d) && (top (n_O h) <=? value_dim h))%nat
  && each (fun x => top x <=? score_dim h)%nat (n_Q h).
Definition mlp_fits (d : nat) (f : mlp_at_hand) : bool := ((top (n_in f) <=? d) && (top (n_out f) <=? width f))%nat.
Definition layer_fits (d : nat) (L : layer_at_hand) : bool :=
  forallb (head_fits d) (n_heads L) && match n_mlp L with Some f => mlp_fits d f | None => true end.
Definition fits (w : weights_at_hand) : bool := forallb (layer_fits (dim w)) (n_layers w) && (top (n_U w) <=? dim w)%nat.

(** * The forward pass on whole numbers *)

(** A number that all of 1 .. n divide. *)
Definition multiple (n : nat) : positive := fold_right (fun i acc => Z.to_pos (Z.lcm (Z.of_nat i) (Zpos acc))) 1%positive (seq 1 n).

(** What a head adds at position t, but for the mean: the sum, and over how many positions. *)
Definition looked_at (h : head_at_hand) (xs keys : list vec) (t : nat) : list nat :=
  let q := comb (nth t xs Leaf) (n_Q h) in
  let scores := map (fun i => dot q (nth i keys Leaf)) (range (S t)) in
  filter (fun i => forallb (fun s => s <=? nth i scores 0)%Z scores) (range (S t)).

Definition head_adds (h : head_at_hand) (xs keys : list vec) (t : nat) : vec * Z :=
  let best := looked_at h xs keys t in
  (comb (comb (fold_right add Leaf (map (fun i => nth i xs Leaf) best)) (n_V h)) (n_O h), Z.of_nat (length best)).

Definition common (L : layer_at_hand) (xs : list vec) : positive := match n_heads L with [] => 1 | _ => multiple (length xs) end.

Definition keyed (L : layer_at_hand) (xs : list vec) : list (head_at_hand * list vec) :=
  map (fun h => (h, map (fun x => comb x (n_K h)) xs)) (n_heads L).

Definition after_heads (L : layer_at_hand) (C : positive) (xs : list vec) (hs : list (head_at_hand * list vec)) (t : nat) : vec :=
  fold_right (fun h acc => let '(o, n) := head_adds (fst h) xs (snd h) t in add (scale (Zpos C / n) o) acc)
    (scale (Zpos (C * (D_V L * D_O L))) (nth t xs Leaf)) hs.

Definition after_mlp (f : mlp_at_hand) (D : positive) (x : vec) : vec :=
  let hidden := map_tree (Z.max 0) (add (comb x (n_in f)) (scale (Zpos D) (n_b_in f))) in
  add (add (scale (Zpos (D_1 f * D_2 f)) x) (comb hidden (n_out f))) (scale (Zpos (D * D_1 f)) (n_b_out f)).

(** A layer at some positions; residuals come over D, and go over another denominator. *)
Definition pass_layer (L : layer_at_hand) (xs : list vec) (D : positive) (ts : list nat) : list vec * positive :=
  let C := common L xs in
  let hs := keyed L xs in
  let D' := (D * (C * (D_V L * D_O L)))%positive in
  let ys := map (after_heads L C xs hs) ts in
  match n_mlp L with
  | None => (ys, D')
  | Some f => (map (after_mlp f D') ys, (D' * (D_1 f * D_2 f))%positive)
  end.

(** The residual at the last position; the last layer is asked for no other. *)
Fixpoint pass (Ls : list layer_at_hand) (xs : list vec) (D : positive) : vec * positive :=
  match Ls with
  | [] => (nth (length xs - 1) xs Leaf, D)
  | [L] => let '(ys, D) := pass_layer L xs D [length xs - 1]%nat in (nth 0 ys Leaf, D)
  | L :: Ls => let '(ys, D) := pass_layer L xs D (range (length xs)) in pass Ls ys D
  end.

Definition embed (w : weights_at_hand) (token : nat * nat) : vec := add (row (n_E w) (fst token)) (row (n_pos w) (snd token)).

(** * It is the transformer's *)

Lemma k_times D E : k (D * E) == k D * k E.
Proof. reflexivity. Qed.

Lemma k_positive D : 0 < k D.
Proof. reflexivity. Qed.

Lemma k_cancels D : iz (Zpos D) * k D == 1.
Proof. unfold k, Qeq, Qmult, inject_Z. cbn [Qnum Qden]. lia. Qed.

Lemma multiple_of n i : (1 <= i <= n)%nat -> (Z.of_nat i | Zpos (multiple n))%Z.
Proof.
  unfold multiple. intro I. assert (H : In i (seq 1 n)) by (apply in_seq; lia). revert H.
  assert (P : forall j, In j (seq 1 n) -> (0 < Z.of_nat j)%Z) by (intros j J; apply in_seq in J; lia). revert P.
  generalize (seq 1 n). induction l as [|j l IH]; intros P H; [destruct H|]. cbn [fold_right].
  set (acc := fold_right _ _ _) in *.
  rewrite Z2Pos.id.
  - destruct H as [->|H]; [apply Z.divide_lcm_l|]. apply Z.divide_trans with (Zpos acc); [|apply Z.divide_lcm_r].
    apply IH; trivial. intros. apply P. now right.
  - pose proof (P j (or_introl eq_refl)). pose proof (Z.lcm_nonneg (Z.of_nat j) (Zpos acc)).
    destruct (Z.eq_dec (Z.lcm (Z.of_nat j) (Zpos acc)) 0) as [E|]; [|lia]. apply Z.lcm_eq_0 in E. lia.
Qed.

Lemma sum_filter {A} (f : A -> Q) p l : sum (filter p l) f == Σ a ∈ l, (if p a then f a else 0).
Proof.
  induction l as [|a l IH]; [reflexivity|]. cbn [filter]. rewrite sum_cons. destruct (p a); rewrite ?sum_cons, IH; ring.
Qed.

Lemma filter_shorter {A} (p : A -> bool) l : (length (filter p l) <= length l)%nat.
Proof. induction l as [|a l IH]; [apply le_n|]. cbn [filter]. destruct (p a); cbn [length]; lia. Qed.

Lemma hard_sum s t f : let best := filter (largest s t) (range (S t)) in
  Σ i ∈ range (t + 1), (hard s t i * f i) == (1 / iz (Z.of_nat (length best))) * sum best f.
Proof.
  intro best. unfold best at 2. rewrite sum_filter, <- sum_scale, Nat.add_1_r. apply sum_ext. intros i _. unfold hard.
  fold best. destruct (largest s t i); ring.
Qed.

Lemma Qle_bool_scaled a b q : 0 < q -> Qle_bool (iz a * q) (iz b * q) = (a <=? b)%Z.
Proof.
  intro P. apply eq_true_iff_eq. rewrite Qle_bool_iff, Z.leb_le, Zle_Qle. now apply Qmult_le_r.
Qed.

Lemma Qle_bool_eq a b a' b' : a == a' -> b == b' -> Qle_bool a b = Qle_bool a' b'.
Proof. intros E E'. apply eq_true_iff_eq. now rewrite !Qle_bool_iff, E, E'. Qed.

Lemma largest_ext s s' t i : (forall j, (j <= t)%nat -> s j == s' j) -> (i <= t)%nat -> largest s t i = largest s' t i.
Proof.
  intros E I. unfold largest. assert (J : forall j, In j (range (S t)) -> (j <= t)%nat) by (intros j H; apply in_range in H; lia).
  revert J. generalize (range (S t)). induction l as [|j l IH]; intro J; [reflexivity|]. cbn [forallb].
  rewrite IH by (intros; apply J; now right). now rewrite (Qle_bool_eq _ _ (s' j) (s' i)) by (apply E; trivial; apply J; now left).
Qed.

Section Pass.
  Variable d : nat.
  Let S := Space 0 0 d 0 0 0 0.

  Lemma flat_times {B} x (W : direction -> B -> Q) b : times S x W b == Σ i ∈ range d, (x (Readout i) * W (Readout i) b).
  Proof.
    unfold times. rewrite sum_directions. unfold S.
    cbn [n_blocks word_length n_readout n_key n_relation n_asked n_position]. cbn [range seq sum]. ring.
  Qed.

  (** A vector is whole numbers over D. *)
  Definition over (x : vector) (u : vec) (D : positive) : Prop := forall i, x (Readout i) == iz (at_ u i) * k D.

  Lemma over_at x u D i : over x u D -> x (Readout i) == iz (at_ u i) * k D.
  Proof. intro H. apply H. Qed.

  Lemma times_at x u D W E j : over x u D -> (top W <= d)%nat ->
    times S x (fun c b => entry W E (component c) b) j == iz (at_ (comb u W) j) * k (D * E).
  Proof.
    intros X L. rewrite flat_times, (comb_at u W d j L), Qmult_comm, <- sum_scale. apply sum_ext. intros i _.
    cbn [component]. rewrite (over_at x u D i X), k_times. unfold entry. ring.
  Qed.

  Section Layer.
    Variables (L : layer_at_hand) (x : nat -> vector) (xs : list vec) (D : positive).
    Hypothesis ok : layer_fits d L = true.
    Hypothesis X : forall t, (t < length xs)%nat -> over (x t) (nth t xs Leaf) D.

    Lemma score_at h t i : head_fits d h = true -> (t < length xs)%nat -> (i < length xs)%nat ->
      score S (head_of L h) x t i
        == iz (dot (comb (nth t xs Leaf) (n_Q h)) (comb (nth i xs Leaf) (n_K h))) * (k (D * D_Q h) * k (D * D_K h)).
    Proof.
      unfold head_fits. rewrite !andb_true_iff, !Nat.leb_le. intros ((((Q & K) & _) & _) & C) Ht Hi.
      unfold score. cbn [scored head_of W_Q W_K].
      rewrite (dot_at _ _ (score_dim h)).
      - rewrite Qmult_comm, <- sum_scale. apply sum_ext. intros a _.
        rewrite (times_at (x t) (nth t xs Leaf) D (n_Q h)), (times_at (x i) (nth i xs Leaf) D (n_K h)) by auto. ring.
      - intros a Ha. assert (E : iz (at_ (comb (nth t xs Leaf) (n_Q h)) a) == iz 0).
        { rewrite (comb_at _ _ d a Q). apply sum_0. intros i' _. unfold row, at_ at 2.
          rewrite (beyond 0%Z); [change (iz 0) with 0; ring|].
          assert (T : (top (find Leaf (n_Q h) (key i')) <=? score_dim h)%nat = true)
            by (apply (find_each Leaf (fun x => top x <=? score_dim h)%nat); trivial).
          apply Nat.leb_le in T. lia. }
        now apply inject_Z_injective.
    Qed.

    Lemma looked_at_largest h t : head_fits d h = true -> (t < length xs)%nat ->
      looked_at h xs (map (fun x => comb x (n_K h)) xs) t = filter (largest (score S (head_of L h) x t) t) (range (Datatypes.S t)).
    Proof.
      intros F Ht. unfold looked_at. apply filter_ext_in. intros i I. apply in_range in I.
      set (q := comb (nth t xs Leaf) (n_Q h)).
      set (s := fun i => dot q (comb (nth i xs Leaf) (n_K h))).
      assert (N : forall i, (i < Datatypes.S t)%nat -> dot q (nth i (map (fun x => comb x (n_K h)) xs) Leaf) = s i).
      { intros j J. rewrite (nth_indep _ Leaf (comb Leaf (n_K h))) by (rewrite map_length; lia).
        now rewrite (map_nth (fun x => comb x (n_K h))). }
      rewrite (map_ext_in _ s) by (intros j J; apply N; now apply in_range).
      rewrite (nth_indep _ 0%Z (s 0%nat)) by (unfold range; rewrite map_length, seq_length; lia).
      rewrite (map_nth s). unfold range at 1. rewrite seq_nth by trivial. cbn [Nat.add].
      rewrite (largest_ext _ (fun j => iz (s j) * (k (D * D_Q h) * k (D * D_K h)))); [|intros; apply score_at; trivial; lia|lia].
      unfold largest. generalize (range (Datatypes.S t)). induction l as [|j l IH]; [reflexivity|]. cbn [map forallb].
      rewrite IH, Qle_bool_scaled; [reflexivity|]. reflexivity.
    Qed.

    Lemma head_adds_at h t c : head_fits d h = true -> (t < length xs)%nat ->
      attend S (head_of L h) x t (Readout c)
        == let '(o, n) := head_adds h xs (map (fun x => comb x (n_K h)) xs) t in
           iz (at_ o c) * (1 / iz n) * (k D * k (D_V L) * k (D_O L)).
    Proof.
      intros F Ht. unfold head_adds. rewrite looked_at_largest by trivial. set (best := filter _ _).
      unfold attend. cbn [carried head_of W_V W_O]. rewrite sum_map.
      unfold head_fits in F. rewrite !andb_true_iff, !Nat.leb_le in F. destruct F as (((_ & V) & O) & _).
      set (us := map (fun i => nth i xs Leaf) best).
      rewrite (comb_at _ (n_O h) (value_dim h) c O).
      transitivity ((1 / iz (Z.of_nat (length best))) * (k D * k (D_V L) * k (D_O L)) *
        Σ i ∈ range (value_dim h), (iz (at_ (comb (fold_right add Leaf us) (n_V h)) i) * iz (at_ (row (n_O h) i) c))); [|ring].
      rewrite <- sum_scale. apply sum_ext. intros a _.
      pose proof (hard_sum (score S (head_of L h) x t) t
        (fun i => times S (x i) (fun c a => entry (n_V h) (D_V L) (component c) (component a)) (Readout a))) as E.
      cbv zeta in E. fold best in E. cbn [component] in E.
      assert (E' : Σ i ∈ best, (times S (x i) (fun c a => entry (n_V h) (D_V L) (component c) (component a)) (Readout a))
        == iz (at_ (comb (fold_right add Leaf us) (n_V h)) a) * k (D * D_V L)).
      { rewrite <- (times_at (fun c => Σ i ∈ best, (x i c))); trivial.
        - unfold times. rewrite sum_swap. apply sum_ext. intros c' _. cbn [component].
          rewrite (sum_ext best _ (fun i => entry (n_V h) (D_V L) (component c') a * x i c')) by (intros; ring).
          rewrite sum_scale. ring.
        - intro i. rewrite at_sum. unfold us. rewrite sum_map, Qmult_comm, <- sum_scale. apply sum_ext. intros j J.
          rewrite (over_at (x j) (nth j xs Leaf) D i); [ring|]. apply X. apply filter_In in J as [J _]. apply in_range in J. lia. }
      cbn [component]. rewrite E, E', k_times. unfold entry. ring.
    Qed.

    Lemma after_heads_at t : (t < length xs)%nat ->
      over (attended S (heads (layer_of L)) x t) (after_heads L (common L xs) xs (keyed L xs) t)
        (D * (common L xs * (D_V L * D_O L))).
    Proof.
      intros Ht c. unfold attended, after_heads, keyed. cbn [heads layer_of]. rewrite sum_map.
      unfold layer_fits in ok. apply andb_prop in ok as [F _]. rewrite forallb_forall in F.
      assert (Cm : forall h n, In h (n_heads L) -> (1 <= n <= length xs)%nat -> (Z.of_nat n | Zpos (common L xs))%Z).
      { intros h n I B. unfold common. destruct (n_heads L); [destruct I|]. now apply multiple_of. }
      revert Cm. generalize (common L xs). intros C Cm. revert F Cm.
      induction (n_heads L) as [|h hs IH]; intros F Cm; cbn [map fold_right sum].
      - rewrite at_scale, inject_Z_mult, (over_at _ _ _ c (X t Ht)), !k_times, !Pos2Z.inj_mul, !inject_Z_mult.
        transitivity ((iz (Zpos C) * k C) * (iz (Zpos (D_V L)) * k (D_V L)) * (iz (Zpos (D_O L)) * k (D_O L))
          * (iz (at_ (nth t xs Leaf) c) * k D)); [rewrite !k_cancels; ring|ring].
      - rewrite (Qred_correct (_ + _)). cbn [fst snd].
        pose proof (head_adds_at h t c (F h (or_introl eq_refl)) Ht) as A.
        destruct (head_adds h xs (map (fun x => comb x (n_K h)) xs) t) as [o n] eqn:En.
        rewrite at_add, at_scale, inject_Z_plus, inject_Z_mult, A.
        rewrite Qmult_plus_distr_l, <- IH; [|intros; apply F; now right|intros h' n' I; apply (Cm h' n'); now right].
        assert (R : iz (at_ o c) * (1 / iz n) * (k D * k (D_V L) * k (D_O L))
          == iz (Zpos C / n) * iz (at_ o c) * k (D * (C * (D_V L * D_O L)))); [|rewrite R; ring].
        rewrite !k_times. unfold head_adds in En. injection En as Eo E.
        set (m := length (looked_at h xs (map (fun x => comb x (n_K h)) xs) t)) in *.
        destruct m as [|m'] eqn:Em.
        + subst n. change (Z.of_nat 0) with 0%Z. rewrite Zdiv_0_r. change (1 / iz 0) with 0. change (iz 0) with 0. ring.
        + assert (Hm : (1 <= Datatypes.S m' <= length xs)%nat).
          { split; [lia|]. rewrite <- Em. unfold m, looked_at.
            eapply Nat.le_trans; [apply filter_shorter|]. unfold range. rewrite seq_length. lia. }
          destruct (Cm h _ (or_introl eq_refl) Hm) as [z Ez]. rewrite E in Ez.
          assert (Nz : ~ iz n == 0) by (intro H; change 0 with (iz 0) in H; apply (proj1 (inject_Z_injective _ _)) in H; lia).
          rewrite Ez, Z.div_mul by lia.
          assert (Ci : iz z * iz n * k C == 1) by (rewrite <- inject_Z_mult, <- Ez; apply k_cancels).
          transitivity (iz (at_ o c) * (1 / iz n) * (k D * k (D_V L) * k (D_O L)) * (iz z * iz n * k C)); [rewrite Ci; ring|].
          field. exact Nz.
    Qed.

    Lemma after_mlp_at f z u E : mlp_fits d f = true -> over z u E ->
      over (applied S (mlp_of f) z) (after_mlp f E u) (E * (D_1 f * D_2 f)).
    Proof.
      unfold mlp_fits. rewrite andb_true_iff, !Nat.leb_le. intros [I O] Z0 c. unfold applied.
      cbn [neuron neurons W_in b_in W_out b_out mlp_of component]. unfold after_mlp.
      set (hidden := map_tree _ _).
      assert (P : 0 < k (E * D_1 f)) by reflexivity.
      assert (N : forall n, relu (times S z (fun c n => entry (n_in f) (D_1 f) (component c) n) n + iz (at_ (n_b_in f) n) * k (D_1 f))
          == iz (at_ hidden n) * k (E * D_1 f)).
      { intro n. rewrite (times_at z u E) by trivial.
        assert (H : at_ hidden n = Z.max 0 (at_ (comb u (n_in f)) n + Zpos E * at_ (n_b_in f) n)).
        { unfold hidden. rewrite <- at_scale, <- at_add. apply (find_map (Z.max 0) 0%Z). }
        assert (B : iz (at_ (n_b_in f) n) * k (D_1 f) == iz (Zpos E * at_ (n_b_in f) n) * k (E * D_1 f)).
        { rewrite inject_Z_mult, k_times. transitivity ((iz (Zpos E) * k E) * (iz (at_ (n_b_in f) n) * k (D_1 f))); [rewrite k_cancels; ring|ring]. }
        rewrite H, B, <- Qmult_plus_distr_l, <- inject_Z_plus. set (y := (_ + _)%Z).
        destruct (Z.max_spec 0 y) as [[Hy ->]|[Hy ->]].
        - apply relu_on. apply Qmult_le_0_compat; [change 0 with (iz 0); rewrite <- Zle_Qle; lia|lra].
        - rewrite relu_off; [change (iz 0) with 0; ring|]. setoid_replace 0 with (0 * k (E * D_1 f)) by ring.
          apply Qmult_le_compat_r; [change 0 with (iz 0); rewrite <- Zle_Qle; lia|lra]. }
      assert (Sum : Σ n ∈ range (width f), (relu (times S z (fun c n => entry (n_in f) (D_1 f) (component c) n) n
          + iz (at_ (n_b_in f) n) * k (D_1 f)) * entry (n_out f) (D_2 f) n c)
        == k (E * D_1 f * D_2 f) * iz (at_ (comb hidden (n_out f)) c)).
      { rewrite (comb_at hidden (n_out f) (width f) c O), <- sum_scale. apply sum_ext. intros n _. rewrite N, !k_times.
        unfold entry. ring. }
      rewrite Sum, (over_at z u E c Z0).
      rewrite !at_add, !at_scale, !inject_Z_plus, !inject_Z_mult, !k_times, !Pos2Z.inj_mul, !inject_Z_mult.
      transitivity (iz (at_ u c) * k E * ((iz (Zpos (D_1 f)) * k (D_1 f)) * (iz (Zpos (D_2 f)) * k (D_2 f)))
        + k E * k (D_1 f) * k (D_2 f) * iz (at_ (comb hidden (n_out f)) c)
        + iz (at_ (n_b_out f) c) * k (D_2 f) * ((iz (Zpos E) * k E) * (iz (Zpos (D_1 f)) * k (D_1 f)))).
      - rewrite !k_cancels. ring.
      - ring.
    Qed.

    Lemma pass_layer_at ts i : (forall t, In t ts -> (t < length xs)%nat) -> (i < length ts)%nat ->
      let '(ys, E) := pass_layer L xs D ts in
      length ys = length ts /\ over (run S (layer_of L) x (nth i ts 0%nat)) (nth i ys Leaf) E.
    Proof.
      intros Ht Hi. unfold pass_layer, run. cbn [mlp layer_of]. set (C := common L xs).
      set (f := after_heads L C xs (keyed L xs)).
      assert (A : over (attended S (heads (layer_of L)) x (nth i ts 0%nat)) (nth i (map f ts) Leaf) (D * (C * (D_V L * D_O L)))).
      { rewrite (nth_indep _ Leaf (f 0%nat)) by (now rewrite map_length). rewrite map_nth. apply after_heads_at.
        apply Ht. now apply nth_In. }
      unfold layer_fits in ok. apply andb_prop in ok as [_ F].
      destruct (n_mlp L) as [g|]; cbn [option_map]; [|split; [apply map_length|exact A]].
      split; [now rewrite !map_length|].
      rewrite (nth_indep _ Leaf (after_mlp g (D * (C * (D_V L * D_O L))) Leaf)) by (now rewrite !map_length).
      rewrite map_nth. now apply after_mlp_at.
    Qed.
  End Layer.

  Lemma pass_at Ls : forall x xs D, forallb (layer_fits d) Ls = true -> xs <> [] ->
    (forall t, (t < length xs)%nat -> over (x t) (nth t xs Leaf) D) ->
    let '(y, E) := pass Ls xs D in
    over (fold_left (fun x L => run S L x) (map layer_of Ls) x (length xs - 1)%nat) y E.
  Proof.
    induction Ls as [|L Ls IH]; intros x xs D F Ne X.
    - cbn [pass map fold_left]. apply X. destruct xs; [contradiction|cbn; lia].
    - cbn [forallb] in F. apply andb_prop in F as [FL F].
      assert (Len : (0 < length xs)%nat) by (destruct xs; [contradiction|cbn; lia]).
      destruct Ls as [|L' Ls].
      + cbn [pass map fold_left].
        pose proof (pass_layer_at L x xs D FL X [length xs - 1]%nat 0) as H.
        destruct (pass_layer L xs D [length xs - 1]%nat) as [ys E]. apply H; [|cbn; lia].
        intros t [<-|[]]. lia.
      + change (pass (L :: L' :: Ls) xs D) with (let '(ys, D) := pass_layer L xs D (range (length xs)) in pass (L' :: Ls) ys D).
        assert (H := fun i => pass_layer_at L x xs D FL X (range (length xs)) i (fun t I => proj1 (in_range t _) I)).
        destruct (pass_layer L xs D (range (length xs))) as [ys E].
        assert (LR : length (range (length xs)) = length xs) by apply seq_length. rewrite LR in H.
        assert (LE : length ys = length xs) by (now apply (H 0%nat)).
        cbn [map fold_left]. rewrite <- LE. apply (IH (run S (layer_of L) x) ys E); trivial.
        * intros ->. cbn in LE. lia.
        * rewrite LE. intros t Ht. specialize (H t Ht) as [_ H]. unfold range in H. now rewrite seq_nth in H.
  Qed.
End Pass.

(** The last residual of a prompt, and its logits. *)
Theorem forward_at w p : fits w = true -> p <> [] ->
  let '(y, D) := pass (n_layers w) (map (embed w) p) (D_x w) in
  over (residual (model w) p (length p - 1)) y D /\
  forall b, logit (model w) p b == iz (at_ (comb y (n_U w)) b) * k (D * D_U w) + iz (at_ (n_b_U w) b) * k (D_U w).
Proof.
  intros F Ne. unfold fits in F. apply andb_prop in F as [F U]. apply Nat.leb_le in U.
  pose proof (pass_at (dim w) (n_layers w) (embedded (model w) p) (map (embed w) p) (D_x w) F) as H.
  rewrite map_length in H.
  destruct (pass (n_layers w) (map (embed w) p) (D_x w)) as [y D].
  assert (R : over (residual (model w) p (length p - 1)) y D).
  { apply H.
    - now destruct p.
    - intros t Ht c. rewrite (nth_indep _ Leaf (embed w (0, 0)%nat)) by (now rewrite map_length). rewrite map_nth.
      unfold embedded, embed. destruct (nth t p (0, 0)%nat) as [token position]. cbn [W_E W_pos model component fst snd].
      unfold entry. rewrite at_add, inject_Z_plus. ring. }
  split; [exact R|]. intro b. unfold logit. cbn [W_U b_U model stream]. apply Qplus_comp; [|reflexivity].
  now apply times_at.
Qed.
