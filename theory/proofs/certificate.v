(** Certificates for weights at hand: checks whose answer "true" is a theorem about every margin.

    What decides a residual is a codebook (linear in the number of attributes once, then in facts), or all logits.
    What is asked is every prompt [s, r_1 .. r_k], or every chain of thought, by the induction of chain_of_thought.v. *)

From Georecall Require Import transformer single_hop chain_of_thought trees forward.
From Coq Require Import ZArith.

(** * What decides a residual *)

Section Decisions.
  Variables (w : weights_at_hand) (A : nat) (mu : Q).

  Definition logit_of (y : vec) (D : positive) (b : nat) : Q :=
    iz (at_ (comb y (n_U w)) b) * k (D * D_U w) + iz (at_ (n_b_U w) b) * k (D_U w).

  (** Answers by their keys; "true" has to mean that every margin reaches mu. *)
  Definition sound (decide : vec -> positive -> positive -> bool) : Prop :=
    forall y D a, decide y D (key a) = true ->
      forall b, (b < A)%nat -> b <> a -> mu <= logit_of y D a - logit_of y D b.

  (** ** By all logits *)

  Definition by_logits : vec -> positive -> positive -> bool :=
    let outputs := upto A 1 in
    fun y D a =>
      let l := add (comb y (n_U w)) (scale (Zpos D) (n_b_U w)) in
      let best := find 0%Z l a in
      let least := (Qnum mu * Zpos (D * D_U w))%Z in
      forallb (fun b => (b =? a)%positive || (least <=? (best - find 0 l b) * Zpos (Qden mu))%Z) outputs.

  Lemma by_logits_sound : sound by_logits.
  Proof.
    intros y D a H b Hb Ne. unfold by_logits in H. rewrite forallb_forall in H. specialize (H (key b) (in_upto _ _ Hb)).
    apply orb_prop in H as [H|H]; [apply Pos.eqb_eq in H; lia|]. apply Z.leb_le in H.
    set (l := add (comb y (n_U w)) (scale (Zpos D) (n_b_U w))) in *.
    assert (E : forall c, logit_of y D c == iz (find 0%Z l (key c)) * k (D * D_U w)).
    { intro c. unfold l, logit_of. rewrite find_add, find_scale, inject_Z_plus, inject_Z_mult, k_times. fold (at_ (comb y (n_U w)) c).
      fold (at_ (n_b_U w) c).
      transitivity (iz (at_ (comb y (n_U w)) c) * (k D * k (D_U w)) + iz (at_ (n_b_U w) c) * k (D_U w) * (iz (Zpos D) * k D));
        [rewrite k_cancels|]; ring. }
    rewrite !E. set (x := find 0%Z l (key a)) in *. set (z := find 0%Z l (key b)) in *.
    setoid_replace (iz x * k (D * D_U w) - iz z * k (D * D_U w)) with (iz (x - z) * k (D * D_U w)).
    - unfold k, Qle, Qmult, inject_Z. cbn [Qnum Qden]. lia.
    - unfold Z.sub. rewrite inject_Z_plus, inject_Z_opp. ring.
  Qed.

  (** ** By a codebook: W_U = factor x words, and a residual reads the word of its answer *)

  Definition product (F W : mat) : mat := map_tree (fun f => map_tree (dot f) W) F.

  Lemma dot_leaf x : dot x Leaf = 0%Z.
  Proof. now destruct x. Qed.

  Lemma product_find F W p q : find 0%Z (find Leaf (product F W) p) q = dot (find Leaf F p) (find Leaf W q).
  Proof.
    unfold product. revert p. induction F as [|l IHl f r IHr]; intro p; [reflexivity|].
    destruct p as [p|p|]; cbn [map_tree find]; auto. rewrite <- (find_map (dot f)). now rewrite dot_leaf.
  Qed.

  Variables (m : nat) (factor words : mat) (g base offset : Z).

  Definition word (b : nat) : vec := row words b.
  Definition powers : vec := snd (fold_left (fun s p => let '(z, t) := s in (z * base, put 0 t p z)%Z) (upto m 1) (1%Z, Leaf)).
  Definition number (x : vec) : positive := Z.to_pos (dot powers x + offset).
  Definition norms : Z := (2 * Zpos (D_U w) * at_ (n_b_U w) 0 + dot (word 0) (word 0))%Z.

  (** Words have different numbers, congruent entries and the bias of their norm. *)
  Definition words_ok : bool :=
    let outputs := upto A 1 in
    let numbers := fold_left (fun t b => put 0%Z t (number (find Leaf words b)) (Zpos b)) outputs Leaf in
    let negative := scale (-1) (word 0) in
    (0 <? g)%Z && Qle_bool mu (iz (g * g) * (1 # 2) * (k (D_U w) * k (D_U w)))
    && each (fun f => top f <=? m)%nat factor && (top factor <=? dim w)%nat
    && forallb (fun b => let x := find Leaf words b in
        (top x <=? m)%nat && each (fun z => z mod g =? 0)%Z (add x negative)
        && (2 * Zpos (D_U w) * find 0 (n_b_U w) b + dot x x =? norms)%Z
        && (find 0 numbers (number x) =? Zpos b)%Z) outputs.

  Definition by_codebook : vec -> positive -> positive -> bool :=
    let last := Z.of_nat A in
    fun y D a => (Zpos a <=? last)%Z && same_vec (scale (Zpos (D_U w)) (comb y factor)) (scale (Zpos D) (find Leaf words a)).

  Hypothesis unembedding : n_U w = product factor words.
  Hypothesis ok : words_ok = true.

  Lemma word_at b : (b < A)%nat ->
    (top (word b) <= m)%nat /\ (forall j, exists z, (at_ (word b) j - at_ (word 0) j = g * z)%Z)
    /\ (2 * Zpos (D_U w) * at_ (n_b_U w) b + dot (word b) (word b) = norms)%Z
    /\ exists numbers, find 0%Z numbers (number (word b)) = Zpos (key b)
        /\ forall c, (c < A)%nat -> find 0%Z numbers (number (word c)) = Zpos (key c).
  Proof.
    intro Hb. unfold words_ok in ok. rewrite !andb_true_iff in ok. destruct ok as ((((G & _) & _) & _) & H). apply Z.ltb_lt in G.
    set (numbers := fold_left _ _ _) in H. rewrite forallb_forall in H.
    assert (K : forall c, (c < A)%nat -> _) by (intros c Hc; exact (H (key c) (in_upto _ _ Hc))). clear H.
    cbv beta zeta in K. pose proof (K b Hb) as Kb. rewrite !andb_true_iff, Nat.leb_le, !Z.eqb_eq in Kb.
    destruct Kb as (((T & C) & Nm) & Nb). repeat split; trivial.
    - intro j. exists ((at_ (word b) j - at_ (word 0) j) / g)%Z. apply Z_div_exact_full_2; [lia|].
      assert (E : (find 0 (add (find Leaf words (key b)) (scale (-1) (word 0))) (key j) mod g =? 0)%Z = true)
        by (apply (find_each 0%Z (fun z => z mod g =? 0)%Z); trivial; now rewrite Zmod_0_l).
      apply Z.eqb_eq in E. rewrite find_add, find_scale in E. rewrite <- E. unfold word, row, at_. f_equal; lia.
    - exists numbers. split; [exact Nb|]. intros c Hc. specialize (K c Hc). rewrite !andb_true_iff, !Z.eqb_eq in K. apply K.
  Qed.

  Lemma words_differ a b : (a < A)%nat -> (b < A)%nat -> a <> b -> exists j, (j < m)%nat /\ at_ (word a) j <> at_ (word b) j.
  Proof.
    intros Ha Hb Ne. destruct (word_at a Ha) as (Ta & _ & _ & numbers & Na & N). destruct (word_at b Hb) as (Tb & _).
    destruct (forallb (fun j => at_ (word a) j =? at_ (word b) j)%Z (range m)) eqn:E.
    - exfalso. rewrite forallb_forall in E. assert (D : dot powers (word a) = dot powers (word b)).
      { apply inject_Z_injective. rewrite !(dot_top powers _ m) by trivial. apply sum_range_ext. intros j J.
        specialize (E j (proj2 (in_range j m) J)). apply Z.eqb_eq in E. now rewrite E. }
      pose proof (N b Hb) as Nb. unfold number in *. rewrite <- D, Na in Nb. lia.
    - apply not_true_iff_false in E. rewrite forallb_forall in E.
      assert (X : existsb (fun j => negb (at_ (word a) j =? at_ (word b) j)%Z) (range m) = true).
      { apply not_false_iff_true. intro F. apply E. intros j J. destruct (at_ (word a) j =? at_ (word b) j)%Z eqn:Q; trivial. exfalso.
        assert (T : existsb (fun j => negb (at_ (word a) j =? at_ (word b) j)%Z) (range m) = true)
          by (apply existsb_exists; exists j; now rewrite Q). now rewrite F in T. }
      apply existsb_exists in X as (j & J & Q). exists j. split; [now apply in_range|]. now apply negb_true_iff, Z.eqb_neq in Q.
  Qed.

  Lemma by_codebook_sound : sound by_codebook.
  Proof.
    intros y D a H b Hb Ne. unfold by_codebook in H. apply andb_prop in H as [La H]. apply Z.leb_le in La.
    assert (Ha : (a < A)%nat) by lia.
    pose proof ok as K. unfold words_ok in K. rewrite !andb_true_iff, !Nat.leb_le, Qle_bool_iff in K.
    destruct K as ((((_ & M) & Fm) & Fd) & _).
    set (kU := k (D_U w)) in *. set (v := fun c j => iz (at_ (word c) j) * kU).
    assert (Y : forall j, iz (at_ (comb y factor) j) * k D == iz (at_ (word a) j) * kU).
    { intro j. apply (same_find _ _ (key j)) in H. rewrite !find_scale in H.
      change (find 0%Z (comb y factor) (key j)) with (at_ (comb y factor) j) in H.
      change (find 0%Z (find Leaf words (key a)) (key j)) with (at_ (word a) j) in H.
      transitivity (iz (at_ (comb y factor) j) * k D * (iz (Zpos (D_U w)) * kU)); [unfold kU; rewrite k_cancels; ring|].
      transitivity (iz (Zpos (D_U w) * at_ (comb y factor) j) * (k D * kU)); [rewrite inject_Z_mult; ring|].
      rewrite H, inject_Z_mult.
      transitivity (iz (at_ (word a) j) * kU * (iz (Zpos D) * k D)); [ring|rewrite k_cancels; ring]. }
    set (c0 := iz norms * (kU * kU) * (1 # 2)).
    assert (L : forall c, (c < A)%nat -> logit_of y D c == (Σ j ∈ range m, (v a j * v c j)) + (c0 - squared_norm m v c / 2)).
    { intros c Hc. destruct (word_at c Hc) as (Tc & _ & Nm & _). unfold logit_of. apply Qplus_comp.
      - assert (Ft : (top (n_U w) <= dim w)%nat).
        { rewrite unembedding. unfold product. assert (Tm : forall (B C : Type) (f : B -> C) t, top (map_tree f t) = top t).
          { intros B C f t. induction t as [|l IHl x r IHr]; [reflexivity|]. cbn [map_tree top]. now rewrite IHl, IHr. }
          now rewrite Tm. }
        rewrite (comb_at y (n_U w) (dim w) c Ft), k_times. fold kU.
        transitivity ((Σ j ∈ range m, (iz (at_ (comb y factor) j) * iz (at_ (word c) j))) * (k D * kU)).
        + apply Qmult_comp; [|reflexivity].
          rewrite (sum_ext (range m) _ (fun j => Σ i ∈ range (dim w), (iz (at_ y i) * iz (at_ (row factor i) j) * iz (at_ (word c) j)))).
          2: { intros j _. rewrite (comb_at y factor (dim w) j Fd), Qmult_comm, <- sum_scale. apply sum_ext. intros i _. ring. }
          rewrite sum_swap. apply sum_ext. intros i _.
          assert (P : at_ (row (n_U w) i) c = dot (row factor i) (word c))
            by (rewrite unembedding; exact (product_find factor words (key i) (key c))).
          rewrite P, (dot_top _ _ m Tc), <- sum_scale. apply sum_ext. intros j _. ring.
        + rewrite Qmult_comm, <- sum_scale. apply sum_ext. intros j _. unfold v. rewrite <- Y. ring.
      - assert (E : squared_norm m v c == iz (dot (word c) (word c)) * (kU * kU)).
        { rewrite (dot_top _ _ m Tc), Qmult_comm, <- sum_scale. apply sum_ext. intros j _. unfold v. ring. }
        rewrite E. unfold c0. rewrite <- Nm, inject_Z_plus, !inject_Z_mult. fold kU. change (iz 2) with 2.
        transitivity (iz (at_ (n_b_U w) c) * kU * (iz (Zpos (D_U w)) * kU)); [unfold kU at 3; rewrite k_cancels; ring|field]. }
    rewrite !L by trivial.
    rewrite (nearest_neighbour m v (fun c => c0 - squared_norm m v c / 2) (v a) a b); [|now exists c0|reflexivity].
    assert (Apart : iz (g * g) <= squared_distance m (fun c j => iz (at_ (word c) j)) a b).
    { apply words_apart.
      - intros j J. destruct (word_at a Ha) as (_ & Ca & _). destruct (word_at b Hb) as (_ & Cb & _).
        destruct (Ca j) as (z & Ez). destruct (Cb j) as (z' & Ez'). exists (z - z')%Z.
        unfold Qminus. rewrite <- inject_Z_opp, <- inject_Z_plus.
        replace (at_ (word a) j + - at_ (word b) j)%Z with (g * (z - z'))%Z by lia. reflexivity.
      - destruct (words_differ a b Ha Hb (not_eq_sym Ne)) as (j & J & Df). exists j. split; trivial.
        intro E. apply Df. now apply inject_Z_injective. }
    assert (S2 : squared_distance m v a b == (kU * kU) * squared_distance m (fun c j => iz (at_ (word c) j)) a b).
    { unfold squared_distance. rewrite <- sum_scale. apply sum_ext. intros j _. unfold v. ring. }
    rewrite S2. eapply Qle_trans; [exact M|].
    assert (P : 0 <= (1 # 2) * (kU * kU)) by (unfold kU, k, Qle, Qmult; cbn [Qnum Qden]; lia).
    setoid_replace (iz (g * g) * (1 # 2) * (kU * kU)) with (iz (g * g) * ((1 # 2) * (kU * kU))) by ring.
    setoid_replace ((kU * kU) * squared_distance m (fun c j => iz (at_ (word c) j)) a b / 2)
      with (squared_distance m (fun c j => iz (at_ (word c) j)) a b * ((1 # 2) * (kU * kU))) by field.
    now apply Qmult_le_compat_r.
  Qed.
End Decisions.

(** * What is asked *)

Section Asked.
  Variables (w : weights_at_hand) (N A : nat) (mu : Q) (decide : vec -> positive -> positive -> bool) (table : mat).
  Hypothesis decides : sound w A mu decide.

  (** Row r of the table holds what relation r says of each subject. *)
  Definition answer (r s : nat) : nat := Z.to_nat (at_ (row table r) s).

  Definition decided (xs : list vec) (a : positive) : bool := let '(y, D) := pass (n_layers w) xs (D_x w) in decide y D a.

  Lemma decided_margin p a b : fits w = true -> p <> [] -> decided (map (embed w) p) (key a) = true ->
    (b < A)%nat -> b <> a -> mu <= logit (model w) p a - logit (model w) p b.
  Proof.
    intros F Ne H Hb D. unfold decided in H. pose proof (forward_at w p F Ne) as E.
    destruct (pass (n_layers w) (map (embed w) p) (D_x w)) as [y Dy]. destruct E as [_ E]. rewrite !E.
    exact (decides y Dy a H b Hb D).
  Qed.

  (** ** One pass: [s, r_1, .., r_k], where hop t asks one of a share of the relations *)

  Fixpoint relations_at (t : nat) (rs : list nat) : prompt :=
    match rs with [] => [] | r :: rs => (N + r, t)%nat :: relations_at (S t) rs end.
  Definition asked (s : nat) (rs : list nat) : prompt := (s, 0%nat) :: relations_at 1 rs.
  Definition reached (s : nat) (rs : list nat) : nat := fold_left (fun e r => answer r e) rs s.

  Definition in_share (r : nat) (share : nat * nat) : Prop := (fst share <= r < fst share + snd share)%nat.

  Fixpoint paths (shares : list (nat * nat)) : list (list nat) :=
    match shares with
    | [] => [[]]
    | (first, n) :: shares => flat_map (fun r => map (cons r) (paths shares)) (seq first n)
    end.

  Lemma in_paths rs shares : Forall2 in_share rs shares -> In rs (paths shares).
  Proof.
    induction 1 as [|r [first n] rs shares H _ IH]; [now left|]. cbn [paths]. apply in_flat_map. exists r. split.
    - apply in_seq. exact H.
    - now apply in_map.
  Qed.

  Definition next (e : positive) (says : vec) : positive := Z.to_pos (find 0%Z says e + 1).

  Lemma next_is rs s : fold_left next (map (row table) rs) (key s) = key (reached s rs).
  Proof.
    unfold reached. revert s. induction rs as [|r rs IH]; intro s; [reflexivity|]. cbn [map fold_left].
    unfold next at 2. rewrite key_of. apply IH.
  Qed.

  Definition hops_ok (shares : list (nat * nat)) : bool :=
    let subjects := upto N 1 in
    fits w && forallb (fun rs =>
      let xs := map (embed w) (relations_at 1 rs) in
      let says := map (row table) rs in
      forallb (fun s => decided (add (find Leaf (n_E w) s) (row (n_pos w) 0) :: xs) (fold_left next says s)) subjects)
      (paths shares).

  Theorem every_hop shares s rs b : hops_ok shares = true ->
    (s < N)%nat -> Forall2 in_share rs shares -> (b < A)%nat -> b <> reached s rs ->
    mu <= logit (model w) (asked s rs) (reached s rs) - logit (model w) (asked s rs) b.
  Proof.
    intros H Hs Hr Hb D. apply andb_prop in H as [F H]. rewrite forallb_forall in H. specialize (H rs (in_paths _ _ Hr)).
    cbv zeta in H. rewrite forallb_forall in H. specialize (H (key s) (in_upto _ _ Hs)). rewrite next_is in H.
    apply decided_margin; trivial. discriminate.
  Qed.

  Corollary every_fact R s r b : hops_ok [(0, R)]%nat = true -> (s < N)%nat -> (r < R)%nat -> (b < A)%nat -> b <> answer r s ->
    let p := [(s, 0); (N + r, 1)]%nat in mu <= logit (model w) p (answer r s) - logit (model w) p b.
  Proof.
    intros H Hs Hr Hb D. apply (every_hop [(0, R)]%nat s [r] b H Hs); trivial.
    constructor; [|constructor]. split; cbn [fst snd]; lia.
  Qed.

  (** ** Chains of thought: all chains of at most K hops, from single steps and the scores of positions *)

  Section Chains.
    Variables (R K : nat) (h : head_at_hand) (f : mlp_at_hand) (dv d_o : positive).
    Definition only_layer : layer_at_hand := Build_layer_at_hand [h] dv d_o (Some f).
    Hypothesis one_layer : n_layers w = [only_layer].
    Hypothesis all_outputs : A = N.

    Let places := map (row (n_pos w)) (range (2 * K)).

    Definition seen_at (t i : nat) : Z := dot (comb (nth t places Leaf) (n_Q h)) (comb (nth i places Leaf) (n_K h)).

    Definition premises_ok : bool :=
      each (fun x => zeros (comb x (n_Q h)) && zeros (comb x (n_K h))) (n_E w)
      && forallb (fun i => forallb (fun j =>
          ((j =? i)%nat || (seen_at (K + i) j <? seen_at (K + i) i)%Z) && (seen_at (K + i) (K + j) <? seen_at (K + i) i)%Z) (range K)
        && zeros (comb (row (n_pos w) i) (n_V h)) && zeros (comb (row (n_pos w) (K + i)) (n_in f))
        && zeros (comb (row (n_pos w) (K + i)) (n_U w))) (range K).

    Definition chains_ok : bool :=
      let entities := upto N 1 in
      let last := Z.of_nat N in
      fits w && (1 <=? K)%nat && premises_ok && (0 <? Qnum mu)%Z && forallb (fun r =>
        let x := embed w (N + r, 0)%nat in
        let says := row table r in
        forallb (fun e => (Zpos (next e says) <=? last)%Z
          && decided [x; add (find Leaf (n_E w) e) (row (n_pos w) (K + 0))] (next e says)) entities) (range R).

    Hypothesis C : chains_ok = true.
    Let M := model w.
    Let head := head_of only_layer h.

    Lemma chains_checked : fits w = true /\ (1 <= K)%nat /\ premises_ok = true /\ 0 < mu /\
      forall e r, (e < N)%nat -> (r < R)%nat -> (answer r e < N)%nat /\
        decided (map (embed w) [(N + r, 0); (e, K + 0)]%nat) (key (answer r e)) = true.
    Proof.
      unfold chains_ok in C. rewrite !andb_true_iff, Nat.leb_le, Z.ltb_lt in C. destruct C as ((((F & P) & Pr) & Mu) & H).
      repeat split; trivial.
      - unfold Qlt. cbn [Qnum Qden]. lia.
      - rewrite forallb_forall in H. specialize (H r (proj2 (in_range r R) H1)). cbv zeta in H. rewrite forallb_forall in H.
        specialize (H (key e) (in_upto _ _ H0)). apply andb_prop in H as [H _]. apply Z.leb_le in H.
        unfold next in H. rewrite key_of in H. unfold answer, at_. lia.
      - rewrite forallb_forall in H. specialize (H r (proj2 (in_range r R) H1)). cbv zeta in H. rewrite forallb_forall in H.
        specialize (H (key e) (in_upto _ _ H0)). apply andb_prop in H as [_ H]. unfold next in H. rewrite key_of in H. exact H.
    Qed.

    Lemma zero_times x u D W E a : over x u D -> (top W <= dim w)%nat -> zeros (comb u W) = true ->
      times (stream M) x (fun c b => entry W E (component c) b) a == 0.
    Proof.
      intros X T Z0. pose proof (times_at (dim w) x u D W E a X T) as H. cbn [stream M model]. rewrite H.
      unfold at_. rewrite zeros_find by trivial. change (iz 0) with 0. ring.
    Qed.

    Lemma premises_hold : certificate M head (mlp_of f) K.
    Proof.
      destruct chains_checked as (F & _ & P & _). unfold fits in F. rewrite one_layer in F.
      unfold layer_fits in F. cbn [forallb only_layer n_heads n_mlp] in F.
      rewrite !andb_true_iff, !Nat.leb_le in F. destruct F as ((((Fh & _) & Ff) & _) & FU).
      pose proof Fh as Fh'. unfold head_fits in Fh'. rewrite !andb_true_iff, !Nat.leb_le in Fh'. destruct Fh' as ((((Q & K') & V) & _) & _).
      unfold mlp_fits in Ff. rewrite andb_true_iff, !Nat.leb_le in Ff. destruct Ff as [I _].
      unfold premises_ok in P. apply andb_prop in P as [PE P]. rewrite forallb_forall in P.
      assert (E : forall token, over (W_E M token) (row (n_E w) token) (D_x w)) by (intros token i; reflexivity).
      assert (Po : forall t, over (W_pos M t) (row (n_pos w) t) (D_x w)) by (intros t i; reflexivity).
      constructor.
      - cbn [layers M model]. rewrite one_layer. reflexivity.
      - intros token a _. pose proof (find_each Leaf (fun x => zeros (comb x (n_Q h)) && zeros (comb x (n_K h))) (n_E w) (key token) PE eq_refl) as Z0.
        cbv beta in Z0. apply andb_true_iff in Z0 as [Z1 Z2].
        split; [exact (zero_times _ _ _ _ (D_Q h) a (E token) Q Z1)|exact (zero_times _ _ _ _ (D_K h) a (E token) K' Z2)].
      - intros i j Hi Hj. specialize (P i (proj2 (in_range i K) Hi)). rewrite !andb_true_iff in P. destruct P as (((P & _) & _) & _).
        rewrite forallb_forall in P. specialize (P j (proj2 (in_range j K) Hj)). apply andb_prop in P as [P1 P2].
        assert (Pl : length places = (2 * K)%nat) by (unfold places, range; now rewrite map_length, seq_length).
        assert (X : forall t, (t < length places)%nat -> over (W_pos M t) (nth t places Leaf) (D_x w)).
        { intros t Ht. rewrite Pl in Ht. unfold places. rewrite (nth_indep _ Leaf (row (n_pos w) 0)) by (now rewrite map_length; unfold range; rewrite seq_length).
          rewrite (map_nth (row (n_pos w))). unfold range. rewrite seq_nth by trivial. apply Po. }
        assert (Sc : forall t u, (t < 2 * K)%nat -> (u < 2 * K)%nat ->
          seen M head t u == iz (seen_at t u) * (k (D_x w * D_Q h) * k (D_x w * D_K h))).
        { intros t u Ht Hu. exact (score_at (dim w) only_layer (W_pos M) places (D_x w) X h t u Fh
            ltac:(rewrite Pl; exact Ht) ltac:(rewrite Pl; exact Hu)). }
        assert (Lt : forall t u t' u', (t < 2 * K)%nat -> (u < 2 * K)%nat -> (t' < 2 * K)%nat -> (u' < 2 * K)%nat ->
          (seen_at t u < seen_at t' u')%Z -> seen M head t u < seen M head t' u').
        { intros t u t' u' H1 H2 H3 H4 L. rewrite !Sc by trivial. apply Qmult_lt_r; [reflexivity|now rewrite <- Zlt_Qlt]. }
        split.
        + intro Ne. apply Lt; try lia. apply orb_prop in P1 as [P1|P1]; [apply Nat.eqb_eq in P1; lia|now apply Z.ltb_lt].
        + apply Lt; lia.
      - intros i Hi. specialize (P i (proj2 (in_range i K) Hi)). rewrite !andb_true_iff in P. destruct P as (((_ & ZV) & ZI) & ZU).
        repeat split.
        + intros a Ia. cbn [head head_of carried W_V] in *. apply in_map_iff in Ia as (a' & <- & _).
          exact (zero_times _ _ _ _ dv a' (Po i) V ZV).
        + intros n _. exact (zero_times _ _ _ _ (D_1 f) n (Po (K + i)%nat) I ZI).
        + intro b. exact (zero_times _ _ _ _ (D_U w) b (Po (K + i)%nat) FU ZU).
    Qed.

    Lemma single_steps e r b : (e < N)%nat -> (r < R)%nat -> (b < N)%nat -> b <> answer r e ->
      mu <= one_hop M head (mlp_of f) N e r (answer r e) - one_hop M head (mlp_of f) N e r b.
    Proof.
      intros He Hr Hb Ne. destruct chains_checked as (F & P & _ & _ & H). destruct (H e r He Hr) as [_ Dc].
      pose proof (step_is_one_hop M head (mlp_of f) N K premises_hold 1 (fun _ => r) (fun _ => e) 0) as E.
      rewrite <- !E by lia. apply (decided_margin [(N + r, 0); (e, K + 0)]%nat); trivial; [discriminate|lia].
    Qed.

    (** What the model says, one of its best entities at every step, is the chain. *)
    Theorem every_chain k rs es s :
      (k <= K)%nat -> (forall t, (t < k)%nat -> (rs t < R)%nat) -> (s < N)%nat -> es 0%nat = s ->
      generated M N K k rs es -> forall i, (i <= k)%nat -> es i = chain answer rs s i.
    Proof.
      destruct chains_checked as (_ & _ & _ & Mu & H).
      apply (all_chains M head (mlp_of f) N R K answer premises_hold).
      - intros e r He Hr. now apply H.
      - intros e r b He Hr Hb Ne. pose proof (single_steps e r b He Hr Hb Ne). lra.
    Qed.

    (** And every margin on the way is at least mu. *)
    Theorem every_step k rs s i b :
      (k <= K)%nat -> (forall t, (t < k)%nat -> (rs t < R)%nat) -> (s < N)%nat -> (i < k)%nat -> (b < N)%nat ->
      b <> chain answer rs s (i + 1) ->
      let p := step N K k rs (chain answer rs s) i in
      mu <= logit M p (chain answer rs s (i + 1)) - logit M p b.
    Proof.
      intros Hk Hr Hs Hi Hb Ne p. unfold p. rewrite !(step_is_one_hop M head (mlp_of f) N K premises_hold) by trivial.
      rewrite Nat.add_1_r in *. cbn [chain] in *. apply single_steps; auto.
      destruct chains_checked as (_ & _ & _ & _ & H). clear Ne. induction i as [|i IH]; [trivial|]. cbn [chain].
      apply H; [apply IH; lia|apply Hr; lia].
    Qed.
  End Chains.
End Asked.
