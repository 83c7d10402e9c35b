(** C4, C6: floors by counting. Different tables need different states of what may depend on the table. *)

From mathcomp Require Export all_ssreflect all_fingroup.
Set Implicit Arguments.
Unset Strict Implicit.

(** States tell tables apart but for K at most: there are at most K times as many tables. *)
Lemma card_fibres (T S : finType) (f : T -> S) K :
  (forall t0, #|[set t | f t == f t0]| <= K) -> #|T| <= #|S| * K.
Proof.
  move=> fibre; rewrite -sum1_card (partition_big f predT) //= -sum_nat_const.
  apply: leq_sum => s _; rewrite sum1_card; case: (pickP (fun t => f t == s)) => [t0 /eqP E | none].
    by move: (fibre t0); rewrite E cardsE.
  by rewrite eq_card0.
Qed.

Lemma card_permutations N : #|{: 'S_N}| = N`!.
Proof. exact: card_Sn. Qed.

Lemma card_tables N R : #|{: {ffun 'I_R -> 'S_N}}| = N`! ^ R.
Proof. by rewrite card_ffun card_ord card_permutations. Qed.

(** * C4: (N!)^R tables need (N!)^R states *)

Section Counting.
  Variables (N R : nat) (State : finType).
  Let table := {ffun 'I_R -> 'S_N}.
  Variables (store : table -> State) (answer : State -> 'I_R -> 'I_N -> 'I_N).

  Theorem counting_floor : (forall pi r s, answer (store pi) r s = pi r s) -> N`! ^ R <= #|State|.
  Proof.
    move=> right; rewrite -card_tables -[#|State|]muln1; apply: (card_fibres (f := store)) => pi0.
    rewrite -(cards1 pi0); apply: subset_leq_card; apply/subsetP => pi; rewrite !inE => /eqP E.
    by apply/eqP/ffunP => r; apply/permP => s; rewrite -!right E.
  Qed.
End Counting.

(** Only the subjects' embeddings depend on the table, d coordinates of b bits each. *)
Corollary bits_per_subject N R d b (store : {ffun 'I_R -> 'S_N} -> {ffun 'I_N -> {ffun 'I_d -> 'I_(2 ^ b)}}) answer :
  (forall pi r s, answer (store pi) r s = pi r s) -> N`! ^ R <= 2 ^ (N * (d * b)).
Proof.
  move/counting_floor => H; apply: leq_trans H _; rewrite !card_ffun !card_ord -!expnM.
  by rewrite mulnA (mulnC b d) mulnC.
Qed.

(** Permutations that agree on a set of points differ by a permutation of the others. *)
Lemma card_agree N (p : 'S_N) (A : {set 'I_N}) : #|[set q : 'S_N | [forall x in A, q x == p x]]| <= #|~: A|`!.
Proof.
  rewrite -card_perm; have inj : injective (fun q : 'S_N => (q * p^-1)%g) by apply: mulIg.
  rewrite -(card_imset _ inj); apply: subset_leq_card; apply/subsetP => t /imsetP [q]; rewrite inE => /forall_inP E ->.
  apply/subsetP => x; rewrite inE; apply: contraR; rewrite inE negbK => /E /eqP Ex.
  by rewrite permM Ex permK.
Qed.

(** * C4 with errors: tables within e errors of fixed answers number at most [x^e] (sum_j (N)_j x^j)^R *)

Section Errors.
  Variables N R : nat.
  Let table := {ffun 'I_R -> 'S_N}.

  (** [x^e] (sum_j (N)_j x^j)^R: e_r errors in relation r, e in all. *)
  Definition coefficient (e : nat) : nat :=
    \sum_(f : {ffun 'I_R -> 'I_N.+1} | \sum_r (f r : nat) == e) \prod_r N ^_ (f r).

  Definition errors (a : 'I_R -> 'I_N -> 'I_N) (pi : table) : nat := \sum_r #|[set s | a r s != pi r s]|.

  Lemma superset (T : finType) (E : {set T}) e : #|E| <= e <= #|T| -> exists2 B : {set T}, E \subset B & #|B| = e.
  Proof.
    case/andP=> le_E le_T; elim: e le_E le_T => [|e IH] le_E le_T.
      by exists E => //; apply/eqP; rewrite -leqn0.
    move: le_E; rewrite leq_eqVlt => /predU1P [<- | lt_E]; first by exists E.
    have [B sub card] := IH lt_E (ltnW le_T).
    have [x nB] : exists x, x \notin B.
      by apply/existsP; apply: contraTT le_T => /existsPn all; rewrite -leqNgt -card subset_leq_card //;
        apply/subsetP => x _; rewrite -[_ \in _]negbK all.
    exists (x |: B); first by apply: subset_trans sub (subsetUr _ _).
    by rewrite cardsU1 nB card.
  Qed.

  Lemma card_family_prod (T : finType) (F : 'I_R -> {pred T}) : #|family F| = \prod_r #|F r|.
  Proof.
    rewrite card_family /image_mem -big_enum /=; elim: (enum _) => [|r rs IH]; first by rewrite big_nil.
    by rewrite big_cons -IH.
  Qed.

  (** Errors of relation r within a set A_r: at most |A_r|! permutations. *)
  Lemma card_within (a : 'I_N -> 'I_N) (A : {set 'I_N}) : #|[set q : 'S_N | [forall x in ~: A, q x == a x]]| <= #|A|`!.
  Proof.
    set F := [set q | _]; case: (set_0Vmem F) => [-> | [q0]]; first by rewrite cards0.
    rewrite inE => /forall_inP E0; rewrite -[A]setCK; apply: leq_trans (card_agree q0 (~: A)).
    apply: subset_leq_card; apply/subsetP => q; rewrite !inE => /forall_inP E.
    by apply/forall_inP => x xA; rewrite (eqP (E x xA)) (eqP (E0 x xA)).
  Qed.

  Lemma card_near a e : e <= R * N -> #|[set pi : table | errors a pi <= e]| <= coefficient e.
  Proof.
    move=> le_e; pose within (A : {ffun 'I_R -> {set 'I_N}}) r := [set q : 'S_N | [forall x in ~: A r, q x == a r x]].
    pose spans (A : {ffun 'I_R -> {set 'I_N}}) := \sum_r #|A r| == e.
    have cover pi : errors a pi <= e -> 0 < \sum_(A | spans A) (pi \in family (within A)).
      move=> few; pose E : {set 'I_R * 'I_N} := [set rs | a rs.1 rs.2 != pi rs.1 rs.2].
      have pairs (B : {set 'I_R * 'I_N}) : #|B| = \sum_r #|[set s | (r, s) \in B]|.
        rewrite -sum1_card (eq_bigl (fun rs => (rs.1, rs.2) \in B)) => [|[r s] //].
        rewrite -(pair_big_dep predT (fun r s => (r, s) \in B) (fun _ _ => 1)) /=.
        by apply: eq_bigr => r _; rewrite sum1_card cardsE.
      have [B sub card] : exists2 B : {set 'I_R * 'I_N}, E \subset B & #|B| = e.
        apply: superset; rewrite card_prod !card_ord le_e andbT pairs; apply: leq_trans few.
        by apply: leq_sum => r _; apply: subset_leq_card; apply/subsetP => s; rewrite !inE.
      pose A := [ffun r => [set s | (r, s) \in B]]; rewrite (bigD1 A) /=.
        rewrite (_ : pi \in _) //; apply/familyP => r; rewrite inE; apply/forall_inP => s; rewrite !inE ffunE inE.
        by apply: contraR => ne; apply: (subsetP sub); rewrite inE eq_sym.
      by rewrite /spans -card pairs; apply/eqP/eq_bigr => r _; rewrite ffunE.
    rewrite -sum1_card; apply: leq_trans (_ : \sum_(pi : table) \sum_(A | spans A) (pi \in family (within A)) <= _).
      rewrite big_mkcond; apply: leq_sum => pi _; rewrite inE; case: ifP => // /cover.
      done.
    rewrite exchange_big /= (partition_big (fun A : {ffun 'I_R -> {set 'I_N}} => [ffun r => inord #|A r|] : {ffun 'I_R -> 'I_N.+1})
      (fun f => \sum_r (f r : nat) == e)) => [|A /eqP <-] /=.
    2: by apply/eqP/eq_bigr => r _; rewrite ffunE inordK // ltnS -[X in _ <= X]card_ord max_card.
    apply: leq_sum => f _; pose sized r := [set A : {set 'I_N} | #|A| == f r].
    apply: leq_trans (_ : \sum_(A in family sized) \prod_r (f r)`! <= _); last first.
      rewrite sum_nat_const card_family_prod -big_split /=; apply: leq_prod => r _.
      by rewrite card_draws card_ord bin_ffact.
    rewrite big_mkcond [X in _ <= X]big_mkcond /=; apply: leq_sum => A _; case: andP => [[_ /eqP Ef] | _] //.
    have Af r : #|A r| = f r by rewrite -Ef ffunE inordK // ltnS -[X in _ <= X]card_ord max_card.
    have -> : A \in family sized by apply/familyP => r; rewrite inE Af.
    have -> : \sum_pi (pi \in family (within A) : nat) = #|family (within A)| by rewrite -sum1_card [RHS]big_mkcond.
    by rewrite card_family_prod; apply: leq_prod => r _; rewrite -Af; apply: card_within.
  Qed.

  Variables (State : finType) (store : table -> State) (answer : State -> 'I_R -> 'I_N -> 'I_N).

  Theorem approximate_floor e : e <= R * N -> (forall pi, errors (answer (store pi)) pi <= e) ->
    N`! ^ R <= #|State| * coefficient e.
  Proof.
    move=> le_e right; rewrite -card_tables; apply: (card_fibres (f := store)) => pi0.
    apply: leq_trans (card_near (answer (store pi0)) le_e); apply: subset_leq_card; apply/subsetP => pi.
    by rewrite !inE => /eqP <-.
  Qed.
End Errors.

(** * C6: no chain of thought, typed *)

(** Rotation by c: the point i goes to i + c, without wrapping while i + c < N. *)
Section Rotation.
  Variable N : nat.
  Definition rotate (c : nat) (i : 'I_N.+1) : 'I_N.+1 := inord ((i + c) %% N.+1).

  Lemma rotate_inj c : injective (rotate c).
  Proof.
    rewrite /rotate => i j /(congr1 val) /=; rewrite !inordK ?ltn_pmod // => /eqP; rewrite eqn_modDr => /eqP E.
    by apply: val_inj; move: E; rewrite !modn_small.
  Qed.

  Definition rotation c : 'S_N.+1 := perm (@rotate_inj c).

  Lemma rotationE c (i : 'I_N.+1) : i + c < N.+1 -> rotation c i = i + c :> nat.
  Proof. by move=> H; rewrite permE /rotate inordK ?modn_small. Qed.
End Rotation.

(** At most K choices for each of R relations: at most K^R in all. *)
Lemma card_family_le (T : finType) R (F : 'I_R -> {pred T}) K : (forall r, #|F r| <= K) -> #|family F| <= K ^ R.
Proof.
  move=> le; rewrite card_family -[R in K ^ R]card_ord cardE /image_mem; elim: (enum _) => //= r rs IH.
  by rewrite expnS leq_mul.
Qed.

(** k hops with fixed relations, rotations, take T subjects to T R^k different entities; the last hop is free. *)
Section MultiHop.
  Variables (N R k T : nat).
  Let entity := 'I_N.+1.
  Hypothesis R_positive : 0 < R.
  Hypothesis fits : T * R ^ k <= N.+1.

  (** Hop t of a typed table has bijections of its own; a query asks subject s with a string of relations. *)
  Definition typed := nat -> nat -> 'S_N.+1.
  Fixpoint follow (pi : typed) (t : nat) (w : seq nat) (e : entity) : entity :=
    if w is r :: w then follow pi t.+1 w (pi t r e) else e.

  Lemma follow_rcons pi t w r e : follow pi t (rcons w r) e = pi (t + size w) r (follow pi t w e).
  Proof. by elim: w t e => [|r' w IH] t e /=; rewrite ?addn0 // IH addSnnS. Qed.

  Definition spread (last : {ffun 'I_R -> 'S_N.+1}) : typed := fun t r =>
    if t < k then rotation N (r * (T * R ^ t)) else if insub r is Some r' then last r' else 1%g.

  Lemma level t : t <= k -> T * R ^ t <= N.+1.
  Proof. by move=> le; apply: leq_trans fits; rewrite leq_mul2l leq_pexp2l ?orbT. Qed.

  (** After t <= k such hops the entities reached are the first T R^t, each by one subject and string. *)
  Definition spreads (pi : typed) : Prop := forall t r, t < k -> pi t r = rotation N (r * (T * R ^ t)).

  Lemma reached t n : t <= k -> n < T * R ^ t ->
    exists s w, [/\ s < T, size w = t, all (fun r => r < R) w
      & forall pi, spreads pi -> follow pi 0 w (inord s) = n :> nat].
  Proof.
    elim: t n => [|t IH] n le_k lt_n.
      rewrite expn0 muln1 in lt_n; exists n, [::]; split=> //= pi _; rewrite inordK //.
      by apply: leq_trans lt_n _; have := level (leq0n k); rewrite expn0 muln1.
    set M := T * R ^ t; have M_pos : 0 < M by move: lt_n; rewrite expnS mulnCA -/M; case: (M); rewrite ?muln0.
    have [s [w [lt_s sz lets E]]] := IH (n %% M) (ltnW le_k) (ltn_pmod n M_pos).
    exists s, (rcons w (n %/ M)); split=> //; first by rewrite size_rcons sz.
      by rewrite all_rcons lets andbT ltn_divLR // mulnC -mulnA -expnSr.
    move=> pi sp; rewrite follow_rcons sz add0n (sp t _ le_k) rotationE (E pi sp) -/M addnC -divn_eq //.
    by apply: leq_trans (level le_k).
  Qed.

  Variables (State : finType) (store : typed -> State) (answer : State -> nat -> seq nat -> entity).

  (** The answers of T subjects to all strings of k + 1 hops tell apart what the last hop does on T R^k points. *)
  Theorem multi_hop_floor :
    (forall pi s w, s < T -> size w = k.+1 -> all (fun r => r < R) w -> answer (store pi) s w = follow pi 0 w (inord s)) ->
    N.+1`! ^ R <= #|State| * (N.+1 - T * R ^ k)`! ^ R.
  Proof.
    move=> right; rewrite -card_tables; apply: (card_fibres (f := fun last => store (spread last))) => last0.
    pose A := [set x : entity | x < T * R ^ k].
    have cA : #|~: A| = N.+1 - T * R ^ k.
      have cA : #|A| = T * R ^ k by rewrite -sum1dep_card (big_ord_narrow fits) sum1_card card_ord.
      by apply/eqP; rewrite -(eqn_add2l #|A|) cardsC card_ord cA subnKC.
    pose F r := [set q : 'S_N.+1 | [forall x in A, q x == last0 r x]].
    have /card_family_le : forall r, #|F r| <= (N.+1 - T * R ^ k)`! by move=> r; rewrite -cA; apply: card_agree.
    apply: leq_trans; apply: subset_leq_card; apply/subsetP => last; rewrite inE => /eqP E.
    apply/familyP => r; rewrite inE; apply/forall_inP => x; rewrite inE => /(reached (leqnn k)) [s [w [lt_s sz lets Ex]]].
    have ask last' : answer (store (spread last')) s (rcons w r) = last' r x.
      rewrite right ?size_rcons ?sz // ?all_rcons ?ltn_ord // follow_rcons sz add0n.
      have sp : spreads (spread last') by move=> t r' lt_t; rewrite /spread lt_t.
      have -> : follow (spread last') 0 w (inord s) = x by apply: val_inj => /=; rewrite Ex.
      by rewrite /spread ltnn insubT /= ?ltn_ord // => H; congr (last' _ _); apply: val_inj.
    by rewrite -!ask E.
  Qed.
End MultiHop.

(** T subjects' embeddings of L bits each and B other bits: T L + B >= R log2(N!/(N - T R^k)!), with N + 1 for N. *)
Corollary multi_hop_bits N R k T L B (answer : 'I_(2 ^ L) -> 'I_(2 ^ B) -> seq nat -> 'I_N.+1)
    (embed : typed N -> nat -> 'I_(2 ^ L)) (others : typed N -> 'I_(2 ^ B)) :
  0 < R -> T * R ^ k <= N.+1 ->
  (forall pi s w, s < T -> size w = k.+1 -> all (fun r => r < R) w ->
    answer (embed pi s) (others pi) w = follow pi 0 w (inord s)) ->
  N.+1`! ^ R <= 2 ^ (T * L + B) * (N.+1 - T * R ^ k)`! ^ R.
Proof.
  move=> R_pos fits right.
  pose store pi := ([ffun s : 'I_T => embed pi s], others pi).
  pose ask (st : {ffun 'I_T -> 'I_(2 ^ L)} * 'I_(2 ^ B)) s w := if insub s is Some s' then answer (st.1 s') st.2 w else ord0.
  have := @multi_hop_floor N R k T R_pos fits _ store ask.
  rewrite card_prod card_ffun !card_ord -expnM -expnD (mulnC L); apply=> pi s w lt_s sz lets.
  by rewrite /ask insubT /= ffunE right.
Qed.
