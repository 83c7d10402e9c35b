(** C10, floor: what W_E's rows of T subjects and W_U's columns of U outputs hold together, by counting.

    An output's score depends on the subject's row, on the query, on its own column and on what else there is; a query
    is answered if its answer's score is above all others. Attention, depth and activation do not enter. *)

From Georecall Require Import counting.
Set Implicit Arguments.
Unset Strict Implicit.

(** A partial injection extends to a permutation. *)
Lemma extends (S : finType) (A : {set S}) (g : S -> S) : {in A &, injective g} ->
  exists p : {perm S}, {in A, forall x, p x = g x}.
Proof.
  move=> inj; pose C := ~: (g @: A).
  have card : #|~: A| = #|C| by apply/eqP; rewrite -(eqn_add2l #|A|) cardsC -{1}(card_in_imset inj) cardsC.
  pose h x := if x \in A then g x else nth x (enum C) (index x (enum (~: A))).
  have out x : x \notin A -> h x \in C.
    move=> nA; rewrite /h (negbTE nA) -mem_enum mem_nth // -cardE -card cardE index_mem mem_enum inE //.
  have h_inj : injective h.
    move=> x y; case: (boolP (x \in A)) (out x) => [xA _ | xA /(_ isT) hx]; case: (boolP (y \in A)) (out y) => [yA _ | yA /(_ isT) hy].
    - by rewrite /h xA yA; apply: inj.
    - by move=> E; move: hy; rewrite -E /h xA inE imset_f.
    - by move=> E; move: hx; rewrite E /h yA inE imset_f.
    - have lt z : z \notin A -> index z (enum (~: A)) < size (enum C).
        by move=> nA; rewrite -cardE -card cardE index_mem mem_enum inE.
      rewrite /h (negbTE xA) (negbTE yA) (set_nth_default x y) ?lt // => /eqP.
      rewrite nth_uniq ?lt ?enum_uniq // => /eqP /(congr1 (nth x (enum (~: A)))).
      by rewrite !nth_index // mem_enum inE.
  by exists (perm h_inj) => x xA; rewrite permE /h xA.
Qed.

(** * Rows of T subjects, columns of U outputs and the other weights tell apart what is answered among these outputs *)

Section Sides.
  Variables (N T U : nat) (Table : Type) (Row Column Others : finType) (disp : unit) (Score : porderType disp).
  Variables (embed : Table -> nat -> Row) (unembed : Table -> 'I_N.+1 -> Column) (others : Table -> Others).
  Variables (score : Row -> Others -> seq nat -> Column -> Score) (answer : Table -> nat -> seq nat -> 'I_N.+1).

  Definition logit pi s w y := score (embed pi s) (others pi) w (unembed pi y).
  Definition recalled pi s w := forall y, y != answer pi s w -> (logit pi s w y < logit pi s w (answer pi s w))%O.

  Lemma sides_floor (F : finType) (table : F -> Table) :
    (forall f g, f != g -> exists s w, [/\ s < T, recalled (table f) s w, recalled (table g) s w,
      answer (table f) s w != answer (table g) s w & (answer (table f) s w < U) && (answer (table g) s w < U)]) ->
    #|F| <= #|Row| ^ T * #|Column| ^ U * #|Others|.
  Proof.
    move=> tells; pose store f := ([ffun s : 'I_T => embed (table f) s],
      [ffun y : 'I_U => unembed (table f) (inord y)], others (table f)).
    have : injective store.
      move=> f g E; apply/eqP; apply: contraTT isT => /tells [s [w [lt_s rf rg ne /andP [Uf Ug]]]].
      case: E => /ffunP Erow /ffunP Ecol Eoth; have := Erow (Ordinal lt_s); rewrite !ffunE /= => Es.
      have col (y : 'I_N.+1) : y < U -> unembed (table f) y = unembed (table g) y.
        by move=> lt_y; have := Ecol (Ordinal lt_y); rewrite !ffunE /= inord_val.
      have := rf (answer (table g) s w); rewrite eq_sym => /(_ ne); have := rg _ ne.
      by rewrite /logit Es Eoth !col // => lt_g /(Order.POrderTheory.lt_trans lt_g); rewrite Order.POrderTheory.ltxx.
    by move/leq_card; rewrite !card_prod !card_ffun !card_ord.
  Qed.
End Sides.

(** * The floor, typed: hops before the middle one spread T subjects, hops after it gather U R^b nodes to U outputs *)

Section Typed.
  Variables (N R T U a b n : nat).
  Hypothesis R_positive : 0 < R.
  Hypothesis left_fits : T * R ^ a <= N.+1.
  Hypothesis right_fits : U * R ^ b <= N.+1.
  Hypothesis classes : T * R ^ a = R ^ b * n.
  Local Notation entity := 'I_N.+1.

  Lemma follow_cat (pi : typed N) t v w e : follow pi t (v ++ w) e = follow pi (t + size v) w (follow pi t v e).
  Proof. by elim: v t e => [|r v IH] t e /=; rewrite ?addn0 // IH addSnnS. Qed.

  (** Hop j after the middle one takes node r U R^(b-j-1) + x to x. *)
  Definition gathers (pi : typed N) : Prop := forall j r, j < b -> pi (a.+1 + j) r = (rotation N (r * (U * R ^ (b - j.+1))))^-1%g.

  Lemma gathered c v : c <= b -> v < R ^ c -> exists w, [/\ size w = c, all (fun r => r < R) w
    & forall pi y, gathers pi -> y < U -> follow pi (a.+1 + (b - c)) w (inord (v * U + y)) = inord y].
  Proof.
    elim: c v => [|c IH] v le_b lt_v.
      by exists [::]; split=> // pi y _ _; move: lt_v; rewrite expn0 ltnS leqn0 => /eqP ->; rewrite mul0n.
    have P : 0 < R ^ c by rewrite expn_gt0 R_positive.
    have [w [sz lets E]] := IH (v %% R ^ c) (ltnW le_b) (ltn_pmod v P).
    exists (v %/ R ^ c :: w); split=> /=; first by rewrite sz.
      by rewrite lets andbT ltn_divLR // -expnS.
    move=> pi y ga lt_y; have lt_j : b - c.+1 < b by rewrite ltn_subrL (leq_trans _ le_b).
    rewrite (ga _ _ lt_j) -addnS subnSK // -(E pi y ga lt_y); congr (follow _ _ _ _).
    have small x : x < R ^ b -> x * U + y < N.+1.
      move=> lt_x; apply: leq_trans right_fits; rewrite mulnC; apply: leq_trans (_ : U * x.+1 <= _).
        by rewrite mulnS addnC ltn_add2r.
      by rewrite leq_mul2l lt_x orbT.
    have lt_vb : v < R ^ b by apply: leq_trans lt_v _; rewrite leq_pexp2l.
    have lt_mb : v %% R ^ c < R ^ b by apply: leq_ltn_trans (leq_mod _ _) lt_vb.
    apply: (canLR (permK _)); apply: val_inj => /=; rewrite subKn ?(ltnW le_b) //.
    have sum : v %% R ^ c * U + y + v %/ R ^ c * (U * R ^ c) = v * U + y.
      by rewrite addnAC; congr (_ + _); rewrite (mulnC U) mulnA -mulnDl addnC -divn_eq.
    have at_x : (inord (v %% R ^ c * U + y) : entity) = v %% R ^ c * U + y :> nat by rewrite inordK ?small.
    by rewrite rotationE at_x sum ?inordK ?small.
  Qed.

  (** The middle hop: relation r takes class v, n points, into the nodes q(v, .) by an injection of its own. *)
  Definition injections := {f : {ffun 'I_n -> 'I_U} | injectiveb f}.
  Definition choice := {ffun 'I_R * 'I_(R ^ b) -> injections}.

  Lemma card_choice : #|{: choice}| = (U ^_ n) ^ (R ^ b.+1).
  Proof.
    rewrite card_ffun card_prod !card_ord -expnS card_sig; congr (_ ^ _).
    by have := card_inj_ffuns [finType of 'I_n] [finType of 'I_U]; rewrite cardsE !card_ord.
  Qed.

  Definition chosen (f : choice) r (v i : nat) : nat :=
    if insub v is Some v' then if insub i is Some i' then val (f (r, v')) i' : nat else 0 else 0.

  Lemma chosenE f r (v : 'I_(R ^ b)) (i : 'I_n) : chosen f r v i = val (f (r, v)) i.
  Proof. by rewrite /chosen !valK. Qed.

  Definition mapped (f : choice) r (x : entity) : entity := inord (x %/ n * U + chosen f r (x %/ n) (x %% n)).
  Definition images : {set entity} := [set x : entity | x < R ^ b * n].

  Definition middle (f : choice) r : 'S_N.+1 := odflt 1%g [pick p : 'S_N.+1 | [forall x in images, p x == mapped f r x]].

  Definition joined (f : choice) : typed N := fun t r =>
    if t < a then rotation N (r * (T * R ^ t)) else
    if t == a then if insub r is Some r' then middle f r' else 1%g
    else (rotation N (r * (U * R ^ (b - (t - a)))))^-1%g.

  Lemma node_small (v : 'I_(R ^ b)) (y : 'I_U) : v * U + y < N.+1.
  Proof.
    apply: leq_trans right_fits; rewrite mulnC; apply: leq_trans (_ : U * v.+1 <= _).
      by rewrite mulnS addnC ltn_add2r.
    by rewrite leq_mul2l ltn_ord orbT.
  Qed.

  Lemma middleE f r (v : 'I_(R ^ b)) (i : 'I_n) : middle f r (inord (v * n + i)) = inord (v * U + val (f (r, v)) i).
  Proof.
    have n_pos : 0 < n by case: (n) i => [[]|].
    have split_x (x : entity) : x \in images -> exists (v : 'I_(R ^ b)) (i : 'I_n), x = v * n + i :> nat.
      rewrite inE -ltn_divLR // => lt_v; exists (Ordinal lt_v), (Ordinal (ltn_pmod x n_pos)) => /=; exact: divn_eq.
    have at_x (x : entity) (w : 'I_(R ^ b)) (j : 'I_n) : x = w * n + j :> nat -> mapped f r x = inord (w * U + val (f (r, w)) j).
      move=> E; rewrite /mapped E divnMDl // modnMDl divn_small // addn0 modn_small //.
      by rewrite chosenE.
    have inj : {in images &, injective (mapped f r)}.
      move=> x y /split_x [w [j Ex]] /split_x [w' [j' Ey]]; rewrite (at_x _ _ _ Ex) (at_x _ _ _ Ey).
      move=> /(congr1 val) /=; rewrite !inordK ?node_small // => E.
      have U_pos : 0 < U by case: (U) (val (f (r, w)) j) => [[]|].
      have Ew : w = w'.
        by apply: val_inj => /=; move: (congr1 (fun z => z %/ U) E); rewrite !divnMDl // !divn_small // !addn0.
      move: E; rewrite Ew => /addnI /val_inj /(injectiveP _ (valP (f (r, w')))) Ej.
      by apply: val_inj; rewrite /= Ex Ey Ew Ej.
    have lt_x : v * n + i < N.+1.
      apply: leq_trans left_fits; rewrite classes; apply: leq_trans (_ : v.+1 * n <= _).
        by rewrite mulSn addnC ltn_add2r.
      by rewrite leq_mul2r ltn_ord orbT.
    rewrite /middle; case: pickP => [p /forall_inP P | none] /=.
      have in_x : (inord (v * n + i) : entity) \in images.
        rewrite inE inordK //; apply: leq_trans (_ : v.+1 * n <= _); first by rewrite mulSn addnC ltn_add2r.
        by rewrite leq_mul2r ltn_ord orbT.
      by rewrite (eqP (P _ in_x)) (at_x _ v i) ?inordK.
    have [p P] := extends inj; have := none p.
    by have -> : [forall x in images, p x == mapped f r x] by apply/forall_inP => x xA; rewrite P.
  Qed.

  Lemma joined_spreads f : spreads R a T (joined f).
  Proof. by move=> t r lt_t; rewrite /joined lt_t. Qed.

  Lemma joined_gathers f : gathers (joined f).
  Proof. by move=> j r lt_j; rewrite /joined addSnnS ltnNge leq_addr /= gtn_eqF ?addKn // -addSnnS leq_addr. Qed.

  Definition ends (pi : typed N) (s : nat) (w : seq nat) : entity := follow pi 0 w (inord s).

  (** The answers to these queries are among the U outputs for all tables of the family, and tell them apart. *)
  Lemma asked (r : 'I_R) (v : 'I_(R ^ b)) (i : 'I_n) : exists s w, [/\ s < T, size w = (a + b).+1, all (fun r => r < R) w
    & forall f, ends (joined f) s w = inord (val (f (r, v)) i)].
  Proof.
    have lt_x : v * n + i < T * R ^ a.
      rewrite classes; apply: leq_trans (_ : v.+1 * n <= _); first by rewrite mulSn addnC ltn_add2r.
      by rewrite leq_mul2r ltn_ord orbT.
    have [s [w1 [lt_s sz1 lets1 E1]]] := reached R_positive left_fits (leqnn a) lt_x.
    have [w2 [sz2 lets2 E2]] := gathered (leqnn b) (ltn_ord v).
    exists s, (w1 ++ nat_of_ord r :: w2); split=> // [||f].
    - by rewrite size_cat /= sz1 sz2 addnS.
    - by rewrite all_cat lets1 /= ltn_ord.
    - rewrite /ends follow_cat /= add0n sz1.
      have -> : follow (joined f) 0 w1 (inord s) = inord (v * n + i).
        by apply: val_inj; rewrite /= E1 ?inordK //; [apply: leq_trans lt_x left_fits | apply: joined_spreads].
      rewrite {2}/joined ltnn eqxx insubT ?ltn_ord // => lt_r; have -> : Sub (nat_of_ord r) lt_r = r by apply: val_inj.
      rewrite middleE; have := E2 (joined f) (val (f (r, v)) i) (joined_gathers f) (ltn_ord _).
      by rewrite subnn addn0.
  Qed.

  Variables (Row Column Others : finType) (disp : unit) (Score : porderType disp).
  Variables (embed : typed N -> nat -> Row) (unembed : typed N -> entity -> Column) (others : typed N -> Others).
  Variable score : Row -> Others -> seq nat -> Column -> Score.

  Theorem two_sided_floor :
    (forall pi s w, s < T -> size w = (a + b).+1 -> all (fun r => r < R) w -> recalled embed unembed others score ends pi s w) ->
    (U ^_ n) ^ (R ^ b.+1) <= #|Row| ^ T * #|Column| ^ U * #|Others|.
  Proof.
    move=> right; rewrite -card_choice; apply: (sides_floor (table := joined) (answer := ends) (score := score)) => f g ne.
    have /existsP [[r v] ne_rv] : [exists q, f q != g q].
      by apply: contraR ne => /existsPn E; apply/eqP/ffunP => q; apply/eqP; rewrite -[_ == _]negbK E.
    have /existsP [i ne_i] : [exists i, val (f (r, v)) i != val (g (r, v)) i].
      apply: contraR ne_rv => /existsPn E; apply/eqP/val_inj/ffunP => i; apply/eqP; rewrite -[_ == _]negbK; exact: E.
    have [s [w [lt_s sz lets E]]] := asked r v i; exists s, w.
    have low (y : 'I_U) : y < N.+1 by apply: leq_trans (ltn_ord y) (leq_trans (leq_pmulr _ _) right_fits); rewrite expn_gt0 R_positive.
    split; [by [] | by apply: right | by apply: right | |]; rewrite !E.
    - by apply: contra ne_i => /eqP /(congr1 val) /=; rewrite !inordK ?low // => /val_inj ->.
    - by rewrite !inordK ?low // !ltn_ord.
  Qed.
End Typed.

(** * The plain count: all subjects and outputs, k + 1 hops of R + 1 relations, every first one of the k idle *)

Section Plain.
  Variables (N R k : nat).
  Local Notation entity := 'I_N.+1.
  Definition free := ({ffun 'I_k * 'I_R -> 'S_N.+1} * {ffun 'I_R.+1 -> 'S_N.+1})%type.

  Lemma card_free : #|{: free}| = N.+1`! ^ (k.+1 * R + 1).
  Proof. by rewrite card_prod !card_ffun card_prod !card_ord card_permutations -expnD addn1 mulSn -addSn addnC. Qed.

  Definition idle (f : free) : typed N := fun t r =>
    if insub t is Some t' then if r is r.+1 then if insub r is Some r' then f.1 (t', r') else 1%g else 1%g
    else if insub r is Some r' then f.2 r' else 1%g.

  Lemma waits f t j e : t + j <= k -> follow (idle f) t (nseq j 0) e = e.
  Proof.
    elim: j t => [|j IH] t //= le; have lt_t : t < k by apply: leq_trans le; rewrite -addSnnS leq_addr.
    by rewrite {2}/idle insubT perm1 IH // addSnnS.
  Qed.

  Lemma at_last f r e : follow (idle f) 0 (nseq k 0 ++ [:: nat_of_ord r]) e = f.2 r e.
  Proof.
    rewrite follow_cat waits // size_nseq /= /idle insubF ?ltnn // insubT ?ltn_ord // => lt_r.
    by congr (f.2 _ _); apply: val_inj.
  Qed.

  Lemma at_hop f (t : 'I_k) (r : 'I_R) e :
    follow (idle f) 0 (nseq t 0 ++ r.+1 :: nseq (k - t.+1) 0 ++ [:: 0]) e = f.2 ord0 (f.1 (t, r) e).
  Proof.
    rewrite follow_cat waits ?add0n ?size_nseq ?(ltnW (ltn_ord t)) //= follow_cat waits ?size_nseq; last by rewrite subnKC.
    rewrite subnKC //= {1}/idle insubF ?ltnn //; have -> : insub 0 = Some (ord0 : 'I_R.+1) by rewrite insubT; congr Some; apply: val_inj.
    by rewrite /idle !valK.
  Qed.

  Variables (Row Column Others : finType) (disp : unit) (Score : porderType disp).
  Variables (embed : typed N -> nat -> Row) (unembed : typed N -> entity -> Column) (others : typed N -> Others).
  Variable score : Row -> Others -> seq nat -> Column -> Score.

  Theorem both_sides_floor :
    (forall pi s w, s < N.+1 -> size w = k.+1 -> all (fun r => r < R.+1) w ->
      recalled embed unembed others score (@ends N) pi s w) ->
    N.+1`! ^ (k.+1 * R + 1) <= #|Row| ^ N.+1 * #|Column| ^ N.+1 * #|Others|.
  Proof.
    move=> right; rewrite -card_free; apply: (sides_floor (table := idle) (answer := @ends N) (score := score)) => f g ne.
    have low n : all (fun r => r < R.+1) (nseq n 0) by rewrite all_nseq orbT.
    have [w [sz lets [e diff]]] : exists w, [/\ size w = k.+1, all (fun r => r < R.+1) w
        & exists e, follow (idle f) 0 w e != follow (idle g) 0 w e].
      case: (eqVneq f.2 g.2) => [E2 | ne2].
        have /existsP [[t r] ne1] : [exists q, f.1 q != g.1 q].
          apply: contraR ne => /existsPn E; have E1 : f.1 = g.1 by apply/ffunP => q; apply/eqP; rewrite -[_ == _]negbK E.
          by rewrite [f]surjective_pairing [g]surjective_pairing E1 E2.
        have /existsP [e ne_e] : [exists e, f.1 (t, r) e != g.1 (t, r) e].
          by apply: contraR ne1 => /existsPn E; apply/eqP/permP => e; apply/eqP; rewrite -[_ == _]negbK E.
        exists (nseq t 0 ++ r.+1 :: nseq (k - t.+1) 0 ++ [:: 0]); split.
        - by rewrite size_cat /= size_cat !size_nseq addn1 !addnS -[in RHS](subnKC (ltn_ord t)) addSn.
        - by rewrite all_cat low /= ltnS ltn_ord all_cat low.
        - by exists e; rewrite !at_hop E2 (inj_eq perm_inj).
      have /existsP [r ne_r] : [exists r, f.2 r != g.2 r].
        by apply: contraR ne2 => /existsPn E; apply/eqP/ffunP => r; apply/eqP; rewrite -[_ == _]negbK E.
      have /existsP [e ne_e] : [exists e, f.2 r e != g.2 r e].
        by apply: contraR ne_r => /existsPn E; apply/eqP/permP => e; apply/eqP; rewrite -[_ == _]negbK E.
      exists (nseq k 0 ++ [:: nat_of_ord r]); split; first by rewrite size_cat size_nseq addn1.
        by rewrite all_cat low /= ltn_ord.
      by exists e; rewrite !at_last.
    exists e, w; split; rewrite /ends ?inord_val ?ltn_ord //; apply: right => //.
  Qed.
End Plain.
