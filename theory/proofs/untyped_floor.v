(** C6, untyped: one table for every hop. Nodes of the tree of queries get names of their own, so that what the last hop
    does to the leaves is free; k + 1 hops here, and N + 1 entities. *)

From Georecall Require Import counting two_sided_floor.
Set Implicit Arguments.
Unset Strict Implicit.

(** * A tree of R letters on T roots: node x has the children T + R x + r *)

Section Tree.
  Variables T R : nat.
  Hypothesis R_positive : 0 < R.

  (** How many nodes are above depth t: T (R^t - 1)/(R - 1). *)
  Fixpoint level (t : nat) : nat := if t is t.+1 then T + R * level t else 0.
  Definition child (x r : nat) : nat := T + R * x + r.
  Definition node (s : nat) (w : seq nat) : nat := foldl child s w.
  Definition letter (i : nat) : 'I_R := Ordinal (ltn_pmod (i - T) R_positive).
  Definition leaves (k : nat) : nat := level k.+1 - level k.

  Lemma leavesE k : leaves k = T * R ^ k.
  Proof.
    rewrite /leaves; elim: k => [|k IH]; first by rewrite /= muln0 addn0 subn0 muln1.
    by rewrite [level k.+2]/= [X in _ - X]/= subnDl -mulnBr IH mulnCA -expnS.
  Qed.

  Lemma level_le t : level t <= level t.+1.
  Proof. by elim: t => //= t IH; rewrite leq_add2l leq_mul2l IH orbT. Qed.

  Lemma level_mono t t' : t <= t' -> level t <= level t'.
  Proof. by move/subnKC <-; elim: (t' - t) => [|i IH]; rewrite ?addn0 // addnS (leq_trans IH) // level_le. Qed.

  Lemma node_rcons s w r : node s (rcons w r) = child (node s w) r.
  Proof. by rewrite /node -cats1 foldl_cat. Qed.

  Lemma child_bounds t x r : level t <= x < level t.+1 -> r < R -> level t.+1 <= child x r < level t.+2.
  Proof.
    case/andP=> lo hi lt; apply/andP; split; rewrite /child /=.
      by apply: leq_trans (leq_addr _ _); rewrite leq_add2l leq_mul2l lo orbT.
    by rewrite -addnA ltn_add2l; apply: leq_trans (_ : R * x.+1 <= _); [rewrite mulnS addnC ltn_add2r | rewrite leq_mul2l hi orbT].
  Qed.

  Lemma node_bounds s w : s < T -> all (fun r => r < R) w -> level (size w) <= node s w < level (size w).+1.
  Proof.
    move=> lt_s; elim/last_ind: w => [|w r IH]; first by rewrite /= muln0 addn0.
    by rewrite all_rcons node_rcons size_rcons => /andP [lt_r /IH b]; apply: child_bounds.
  Qed.

  Lemma leaf t n : level t <= n < level t.+1 -> exists s w, [/\ s < T, size w = t, all (fun r => r < R) w & node s w = n].
  Proof.
    elim: t n => [|t IH] n; first by rewrite /= muln0 addn0 => lt; exists n, [::].
    case/andP=> lo hi; have le_T : T <= n by apply: leq_trans lo; apply: leq_addr.
    have [|s [w [lt_s sz lets E]]] := IH ((n - T) %/ R).
      rewrite leq_divRL // ltn_divLR // mulnC leq_subRL // lo mulnC /= ltn_subLR //.
    exists s, (rcons w ((n - T) %% R)); split; rewrite ?size_rcons ?sz ?all_rcons ?lets ?ltn_pmod // node_rcons E.
    by rewrite /child mulnC -addnA -divn_eq subnKC.
  Qed.

  Lemma letter_child x (r : 'I_R) : letter (child x r) = r.
  Proof. by apply: val_inj; rewrite /= /child -addnA addKn mulnC modnMDl modn_small. Qed.
End Tree.

(** The answer of one table to a string of relations. *)
Definition untyped N R := {ffun 'I_R -> 'S_N.+1}.
Definition every_hop N R (pi : untyped N R) : typed N := fun _ r => if insub r is Some r' then pi r' else 1%g.
Definition answered N R (pi : untyped N R) (s : nat) (w : seq nat) : 'I_N.+1 := follow (every_hop pi) 0 w (inord s).

(** * Names for the nodes, and the table that walks through them *)

Section Names.
  Variables (N T R k : nat).
  Hypothesis R_positive : 0 < R.
  Let M := level T R k.+1.
  Let L := leaves T R k.
  Hypothesis fits : M + L <= N.+1.
  Local Notation entity := 'I_N.+1.
  Variable sigma : 'I_R -> {ffun 'I_L -> entity}.
  Hypothesis sigma_inj : forall r, injective (sigma r).
  Local Notation letter := (letter T R_positive).

  (** One by one: subjects keep theirs; a node that letter r leads to avoids those in use and the images of sigma r. *)
  Lemma names n : n <= M -> exists nu : seq entity, [/\ size nu = n, uniq nu, forall i, i < n -> i < T -> nth ord0 nu i = i :> nat
    & forall i, T <= i < n -> nth ord0 nu i \notin [set sigma (letter i) j | j in 'I_L]].
  Proof.
    elim: n => [|n IH] le; first by exists [::]; split=> // i; rewrite ltn0 ?andbF.
    have [nu [sz un roots others]] := IH (ltnW le).
    have [y [fresh root other]] : exists y, [/\ y \notin nu, n < T -> y = n :> nat
        & T <= n -> y \notin [set sigma (letter n) j | j in 'I_L]].
      case: (ltnP n T) => [lt_T | ge_T].
        have lt_N : n < N.+1 by apply: leq_trans le (leq_trans (leq_addr _ _) fits).
        exists (inord n); split=> // [|_]; last by rewrite inordK.
        apply/negP => /(nthP ord0) [i lt_i E]; rewrite sz in lt_i.
        by have := roots i lt_i (ltn_trans lt_i lt_T); rewrite E inordK // => Ei; rewrite Ei ltnn in lt_i.
      pose used := [set y in nu] :|: [set sigma (letter n) j | j in 'I_L].
      have small : #|used| < N.+1.
        apply: leq_trans fits; apply: leq_ltn_trans (_ : n + L < _); last by rewrite ltn_add2r.
        apply: leq_trans (leq_card_setU _ _) _; apply: leq_add; first by rewrite cardsE -sz card_size.
        by apply: leq_trans (leq_imset_card _ _) _; rewrite card_ord.
      have [y] : exists y, y \notin used.
        apply/existsP; apply: contraTT small => /existsPn all; rewrite -leqNgt -[X in X <= _]card_ord subset_leq_card //.
        by apply/subsetP => y _; rewrite -[_ \in _]negbK all.
      by rewrite !inE negb_or => /andP [ny sy]; exists y; split=> // lt; move: ge_T; rewrite leqNgt lt.
    exists (rcons nu y); split=> [|| i lt_i lt_T | i /andP [ge_T lt_i]].
    - by rewrite size_rcons sz.
    - by rewrite rcons_uniq fresh.
    - move: lt_i; rewrite ltnS leq_eqVlt nth_rcons sz => /predU1P [E | lt]; last by rewrite lt roots.
      by rewrite E ltnn eqxx root // -E.
    - move: lt_i; rewrite ltnS leq_eqVlt nth_rcons sz => /predU1P [E | lt]; last by rewrite lt others // ge_T.
      by rewrite E ltnn eqxx; apply: other; rewrite -E.
  Qed.

  Definition at_leaf (r : 'I_R) (j : nat) : entity := if insub j is Some j' then sigma r j' else ord0.

  Lemma realised : exists pi : untyped N R, forall (r : 'I_R) (j : 'I_L) s w, s < T -> size w = k -> all (fun r => r < R) w ->
    node T R s w = level T R k + j -> answered pi s (rcons w r) = sigma r j.
  Proof.
    have [nu [sz un roots others]] := names (leqnn M).
    have child_M x (r : 'I_R) : x < level T R k -> child T R x r < M.
      move=> lt; apply: leq_trans (_ : T + R * x.+1 <= _); first by rewrite /child -addnA ltn_add2l mulnS addnC ltn_add2r.
      by rewrite leq_add2l leq_mul2l lt orbT.
    pose next (r : 'I_R) (y : entity) := let i := index y nu in
      if i < level T R k then nth ord0 nu (child T R i r) else at_leaf r (i - level T R k).
    pose A := [set y in nu].
    have in_L i : level T R k <= i < M -> i - level T R k < L by case/andP=> lo hi; rewrite /L /leaves ltn_sub2r // (leq_ltn_trans lo).
    have away (r : 'I_R) i j : i < level T R k -> level T R k <= j < M -> nth ord0 nu (child T R i r) != at_leaf r (j - level T R k).
      move=> lt b; have := others (child T R i r); rewrite child_M // letter_child {1}/child -addnA leq_addr => /(_ isT).
      by apply: contra => /eqP ->; rewrite /at_leaf insubT ?in_L // => lt_j; apply/imsetP; eexists.
    have inj r : {in A &, injective (next r)}.
      move=> x y; rewrite !inE -!index_mem sz => xA yA; rewrite /next.
      have back z : index z nu < M -> z = nth ord0 nu (index z nu) by move=> lt; rewrite nth_index // -index_mem sz.
      case: ltnP => [lt_x | ge_x]; case: ltnP => [lt_y | ge_y] E.
      - have /eqP := E; rewrite nth_uniq ?sz ?child_M // /child eqn_add2r eqn_add2l eqn_pmul2l // => /eqP Ei.
        by rewrite (back x xA) (back y yA) Ei.
      - by have := away r _ _ lt_x (introT andP (conj ge_y yA)); rewrite E eqxx.
      - by have := away r _ _ lt_y (introT andP (conj ge_x xA)); rewrite E eqxx.
      - have lx := in_L _ (introT andP (conj ge_x xA)); have ly := in_L _ (introT andP (conj ge_y yA)).
        move: E; rewrite /at_leaf !insubT /= => /sigma_inj /(congr1 val) /= Ei.
        by rewrite (back x xA) (back y yA) -(subnK ge_x) Ei subnK.
    have /fin_all_exists [p P] : forall r, exists p : 'S_N.+1, {in A, forall x, p x = next r x} by move=> r; apply: extends.
    exists (finfun p) => r j s w lt_s sz_w lets E.
    have step i (q : 'I_R) : i < M -> p q (nth ord0 nu i) = next q (nth ord0 nu i) by move=> lt; rewrite P // inE mem_nth ?sz.
    have hop (q : nat) t (lt_q : q < R) : every_hop (finfun p) t q = p (Ordinal lt_q) by rewrite /every_hop insubT ffunE.
    have walk v : size v <= k -> all (fun r => r < R) v -> follow (every_hop (finfun p)) 0 v (inord s) = nth ord0 nu (node T R s v).
      elim/last_ind: v => [|v q IH] le lets_v.
        have le_M : T <= M by apply: leq_addr.
        have lt_sM := leq_trans lt_s le_M; apply: val_inj.
        by rewrite /= roots // inordK // (leq_trans lt_sM) // (leq_trans (leq_addr _ _) fits).
      move: le lets_v; rewrite size_rcons all_rcons => le /andP [lt_q lets_v].
      rewrite follow_rcons IH ?(ltnW le) // (hop _ _ lt_q) node_rcons.
      have lt_v : node T R s v < level T R k.
        by case/andP: (node_bounds lt_s lets_v) => _ hi; apply: leq_trans hi (level_mono _ _ le).
      have lt_vM : node T R s v < M by apply: leq_trans lt_v (level_le _ _ _).
      by rewrite step // /next index_uniq ?sz // lt_v.
    have lt_j : level T R k + j < M by rewrite -ltn_subRL ltn_ord.
    rewrite /answered follow_rcons walk ?sz_w // (hop _ _ (ltn_ord r)) E step // /next index_uniq ?sz // ltnNge leq_addr /=.
    by rewrite addKn /at_leaf valK; congr (sigma _ _); apply: val_inj.
  Qed.
End Names.

(** * The floor: N >= T ((R^(k+1) - 1)/(R - 1) + R^k) entities, T subjects asked all strings of k + 1 hops *)

Section UntypedFloor.
  Variables (N T R k : nat).
  Hypothesis R_positive : 0 < R.
  Hypothesis fits : level T R k.+1 + T * R ^ k <= N.+1.
  Variables (State : finType) (store : untyped N R -> State) (answer : State -> nat -> seq nat -> 'I_N.+1).

  Theorem untyped_floor :
    (forall pi s w, s < T -> size w = k.+1 -> all (fun r => r < R) w -> answer (store pi) s w = answered pi s w) ->
    (N.+1 ^_ (T * R ^ k)) ^ R <= #|State|.
  Proof.
    move=> right; pose L := leaves T R k; rewrite -(leavesE T R) -/L.
    pose F := {ffun 'I_R -> {f : {ffun 'I_L -> 'I_N.+1} | injectiveb f}}.
    have -> : (N.+1 ^_ L) ^ R = #|{: F}|.
      rewrite card_ffun card_sig card_ord; congr (_ ^ _).
      by have := card_inj_ffuns [finType of 'I_L] [finType of 'I_N.+1]; rewrite cardsE !card_ord.
    have room : level T R k.+1 + leaves T R k <= N.+1 by rewrite leavesE.
    have /fin_all_exists [table real] : forall f : F, exists pi : untyped N R, forall (r : 'I_R) (j : 'I_L) s w,
        s < T -> size w = k -> all (fun r => r < R) w -> node T R s w = level T R k + j -> answered pi s (rcons w r) = val (f r) j.
      by move=> f; apply: (realised R_positive room (sigma := fun r => val (f r))) => r; apply/injectiveP; apply: valP (f r).
    have inj : injective (store \o table); last by have := leq_card _ inj.
    move=> f g /= E; apply/ffunP => r; apply: val_inj; apply/ffunP => j.
    have [|s [w [lt_s sz lets Ej]]] := @leaf T R R_positive k (level T R k + j).
      by rewrite leq_addr -ltn_subRL ltn_ord.
    have lets_r : all (fun r => r < R) (rcons w r) by rewrite all_rcons ltn_ord.
    by rewrite -(real f r j s w) // -(real g r j s w) // -!right ?size_rcons ?sz // E.
  Qed.
End UntypedFloor.

(** T subjects' embeddings of L bits each and B other bits: T L + B >= R log2(N!/(N - T R^k)!), with N + 1 for N. *)
Corollary untyped_bits N R k T L B (answer : 'I_(2 ^ L) -> 'I_(2 ^ B) -> seq nat -> 'I_N.+1)
    (embed : untyped N R -> nat -> 'I_(2 ^ L)) (others : untyped N R -> 'I_(2 ^ B)) :
  0 < R -> level T R k.+1 + T * R ^ k <= N.+1 ->
  (forall pi s w, s < T -> size w = k.+1 -> all (fun r => r < R) w -> answer (embed pi s) (others pi) w = answered pi s w) ->
  (N.+1 ^_ (T * R ^ k)) ^ R <= 2 ^ (T * L + B).
Proof.
  move=> R_pos fits right.
  pose store pi := ([ffun s : 'I_T => embed pi s], others pi).
  pose ask (st : {ffun 'I_T -> 'I_(2 ^ L)} * 'I_(2 ^ B)) s w := if insub s is Some s' then answer (st.1 s') st.2 w else ord0.
  have := @untyped_floor N T R k R_pos fits _ store ask.
  rewrite card_prod card_ffun !card_ord -expnM -expnD (mulnC L); apply=> pi s w lt_s sz lets.
  by rewrite /ask insubT /= ffunE right.
Qed.
