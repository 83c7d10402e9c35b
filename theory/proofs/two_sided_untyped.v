(** C10, floor, untyped: one table for every hop. Subjects and outputs may share names, all other nodes of the two trees
    get names of their own: the tree of what subjects reach, and that of what leads to outputs. *)

From Georecall Require Import counting two_sided_floor untyped_floor.
Set Implicit Arguments.
Unset Strict Implicit.

Section Untyped.
  Variables (N R T U a b n : nat).
  Hypothesis R_positive : 0 < R.
  Hypothesis classes : T * R ^ a = R ^ b * n.
  Let left_inner := level T R a.
  Let right_inner := level U R b.
  Let top := maxn T U.
  Let lefts := level T R a.+1 - T.
  Hypothesis fits : top + lefts + (level U R b.+1 - U) <= N.+1.
  Local Notation entity := 'I_N.+1.

  (** The names of nodes of the left tree, and of the right one. *)
  Definition left_name (i : nat) : nat := if i < T then i else top + (i - T).
  Definition right_name (i : nat) : nat := if i < U then i else top + lefts + (i - U).

  Lemma right_name_inj : injective right_name.
  Proof.
    have le : U <= top + lefts by rewrite (leq_trans (leq_maxr T U)) // leq_addr.
    move=> i j; rewrite /right_name; case: (ltnP i U) => lt_i; case: (ltnP j U) => lt_j //.
    - by move=> E; move: lt_i; rewrite E ltnNge (leq_trans le) // leq_addr.
    - by move=> E; move: lt_j; rewrite -E ltnNge (leq_trans le) // leq_addr.
    - by move/addnI => E; rewrite -(subnK lt_i) E subnK.
  Qed.

  Lemma left_name_inj : injective left_name.
  Proof.
    have le : T <= top by apply: leq_maxl.
    move=> i j; rewrite /left_name; case: (ltnP i T) => lt_i; case: (ltnP j T) => lt_j //.
    - by move=> E; move: lt_i; rewrite E ltnNge (leq_trans le) // leq_addr.
    - by move=> E; move: lt_j; rewrite -E ltnNge (leq_trans le) // leq_addr.
    - by move/addnI => E; rewrite -(subnK lt_i) E subnK.
  Qed.

  (** Names of the left tree's own nodes are not those of the right tree. *)
  Lemma apart i j : T <= i < level T R a.+1 -> left_name i != right_name j.
  Proof.
    case/andP=> lo hi; rewrite /left_name (ltnNge i) lo /= /right_name; case: (ltnP j U) => lt_j.
      by rewrite gtn_eqF // (leq_trans lt_j) // (leq_trans (leq_maxr T U)) // leq_addr.
    by rewrite -addnA eqn_add2l ltn_eqF // (leq_trans _ (leq_addr _ _)) // ltn_sub2r // (leq_ltn_trans lo hi).
  Qed.

  Lemma left_small i : i < level T R a.+1 -> left_name i < N.+1.
  Proof.
    move=> lt; apply: leq_trans fits; rewrite -addnA; apply: leq_trans (_ : top + lefts <= _); last by rewrite leq_add2l leq_addr.
    rewrite /left_name; case: (ltnP i T) => [lt_T | le_T]; first by rewrite (leq_trans lt_T) // (leq_trans (leq_maxl T U)) // leq_addr.
    by rewrite ltn_add2l ltn_sub2r // (leq_ltn_trans le_T lt).
  Qed.

  Lemma right_small i : i < level U R b.+1 -> right_name i < N.+1.
  Proof.
    move=> lt; apply: leq_trans fits; rewrite /right_name; case: (ltnP i U) => [lt_U | le_U].
      by rewrite (leq_trans lt_U) // -addnA (leq_trans (leq_maxr T U)) // leq_addr.
    by rewrite ltn_add2l ltn_sub2r // (leq_ltn_trans le_U lt).
  Qed.

  (** String v of the last hops backwards: from every output y it leads to leaf y R^b + v. *)
  Lemma backwards c v : v < R ^ c -> exists w, [/\ size w = c, all (fun r => r < R) w
    & forall y, node U R y w = level U R c + y * R ^ c + v].
  Proof.
    elim: c v => [|c IH] v; first by rewrite ltnS leqn0 => /eqP ->; exists [::]; split=> // y; rewrite /node /= muln1 addn0.
    move=> lt_v; have [|w [sz lets E]] := IH (v %/ R); first by rewrite ltn_divLR // mulnC -expnS.
    exists (rcons w (v %% R)); split.
    - by rewrite size_rcons sz.
    - by rewrite all_rcons ltn_pmod.
    - move=> y; rewrite node_rcons E /child /= !mulnDr -!addnA; do 2 congr (_ + _).
      by rewrite mulnCA -expnS; congr (_ + _); rewrite mulnC -divn_eq.
  Qed.

  Variable f : choice R U b n.

  Definition right_leaf (r : 'I_R) (p : nat) : nat := right_inner + chosen f r (p %/ n) (p %% n) * R ^ b + p %/ n.

  (** Where relation r leads, name by name; [is_left x] is the number of a node of the left tree. *)
  Definition left_number (x : nat) : nat := if x < T then x else T + (x - top).
  Definition is_left (x : nat) : bool := (x < T) || (top <= x < top + lefts).
  Definition right_number (x : nat) : nat := U + (x - (top + lefts)).
  Definition is_right (x : nat) : bool := top + lefts <= x < top + lefts + (level U R b.+1 - U).

  Definition forward (r : 'I_R) (x : nat) : nat :=
    if is_left x then let i := left_number x in
      if i < left_inner then left_name (child T R i r) else right_name (right_leaf r (i - left_inner))
    else right_name ((right_number x - U) %/ R).

  Definition domain (r : 'I_R) (x : nat) : bool := is_left x || is_right x && ((right_number x - U) %% R == r).

  Lemma left_numberK i : i < level T R a.+1 -> is_left (left_name i) && (left_number (left_name i) == i).
  Proof.
    move=> lt; rewrite /is_left /left_name /left_number; case: (ltnP i T) => [lt_T | le_T]; first by rewrite !lt_T eqxx.
    have ge : T <= top + (i - T) by rewrite (leq_trans (leq_maxl T U)) // leq_addr.
    rewrite ltnNge ge /= leq_addr ltn_add2l ltn_sub2r ?(leq_ltn_trans le_T lt) //=.
    by rewrite addKn subnKC.
  Qed.

  Lemma left_nameK x : is_left x -> left_number x < level T R a.+1 /\ left_name (left_number x) = x.
  Proof.
    have le : T <= level T R a.+1 by apply: leq_addr.
    rewrite /is_left /left_number /left_name; case: (ltnP x T) => /= [lt _ | ge /andP [lo hi]].
      by rewrite lt (leq_trans lt).
    by rewrite [T + _ < T]ltnNge leq_addr /= addKn subnKC // -ltn_subRL ltn_subLR.
  Qed.

  Lemma n_positive p : p < T * R ^ a -> 0 < n.
  Proof. by rewrite classes; case: (n) => //; rewrite muln0. Qed.

  Lemma right_leafE r (v : 'I_(R ^ b)) (i : 'I_n) : right_leaf r (v * n + i) = right_inner + val (f (r, v)) i * R ^ b + v.
  Proof.
    have n_pos : 0 < n by case: (n) i => [[]|].
    by rewrite /right_leaf divnMDl // modnMDl divn_small // addn0 modn_small // chosenE.
  Qed.

  Lemma leaf_split p : p < T * R ^ a -> exists (v : 'I_(R ^ b)) (i : 'I_n), p = v * n + i.
  Proof.
    move=> lt; have n_pos := n_positive lt; have lt_v : p %/ n < R ^ b by rewrite ltn_divLR // -classes.
    by exists (Ordinal lt_v), (Ordinal (ltn_pmod p n_pos)); apply: divn_eq.
  Qed.

  Lemma left_total : level T R a.+1 = left_inner + T * R ^ a.
  Proof. by rewrite -leavesE /leaves subnKC // level_le. Qed.

  Lemma right_total : level U R b.+1 = right_inner + U * R ^ b.
  Proof. by rewrite -leavesE /leaves subnKC // level_le. Qed.

  Lemma leaf_bound (v : 'I_(R ^ b)) (y : 'I_U) : right_inner + y * R ^ b + v < level U R b.+1.
  Proof.
    rewrite right_total -addnA ltn_add2l; apply: leq_trans (_ : y.+1 * R ^ b <= _); last by rewrite leq_mul2r ltn_ord orbT.
    by rewrite mulSn addnC ltn_add2r.
  Qed.

  Lemma child_left i (r : 'I_R) : i < left_inner -> T <= child T R i r < level T R a.+1.
  Proof.
    move=> lt; rewrite /child -addnA leq_addr /= ltn_add2l; apply: leq_trans (_ : R * i.+1 <= _).
      by rewrite mulnS addnC ltn_add2r.
    by rewrite leq_mul2l lt orbT.
  Qed.

  Lemma child_right j (r : 'I_R) : j < right_inner -> U <= child U R j r < level U R b.+1.
  Proof.
    move=> lt; rewrite /child -addnA leq_addr /= ltn_add2l; apply: leq_trans (_ : R * j.+1 <= _).
      by rewrite mulnS addnC ltn_add2r.
    by rewrite leq_mul2l lt orbT.
  Qed.

  Lemma forward_left i (r : 'I_R) : i < left_inner -> domain r (left_name i) /\ forward r (left_name i) = left_name (child T R i r).
  Proof.
    move=> lt; have /left_numberK /andP [isl /eqP E] : i < level T R a.+1 by apply: leq_trans lt (level_le _ _ _).
    by rewrite /domain /forward isl E lt.
  Qed.

  Lemma forward_leaf r (v : 'I_(R ^ b)) (i : 'I_n) : let x := left_name (left_inner + (v * n + i)) in
    domain r x /\ forward r x = right_name (right_inner + val (f (r, v)) i * R ^ b + v).
  Proof.
    have lt : v * n + i < T * R ^ a.
      rewrite classes; apply: leq_trans (_ : v.+1 * n <= _); first by rewrite mulSn addnC ltn_add2r.
      by rewrite leq_mul2r ltn_ord orbT.
    have /left_numberK /andP [isl /eqP E] : left_inner + (v * n + i) < level T R a.+1 by rewrite left_total ltn_add2l.
    by rewrite /domain /forward isl E ltnNge leq_addr /= addKn right_leafE.
  Qed.

  Lemma forward_right j (r : 'I_R) : j < right_inner -> let x := right_name (child U R j r) in
    domain r x /\ forward r x = right_name j.
  Proof.
    move=> lt; case/andP: (child_right r lt) => lo hi; rewrite /= /right_name ltnNge lo /= -/(right_name j).
    set x := top + lefts + _; have num : right_number x = child U R j r by rewrite /right_number addKn subnKC.
    have notl : is_left x = false.
      apply/negbTE; rewrite negb_or negb_and -!leqNgt leq_addr orbT andbT (leq_trans (leq_maxl T U)) //.
      by rewrite /x -addnA leq_addr.
    have isr : is_right x by rewrite /is_right leq_addr ltn_add2l ltn_sub2r // (leq_ltn_trans lo).
    rewrite /domain /forward notl isr num /child -addnA addKn mulnC modnMDl modn_small // eqxx.
    by rewrite divnMDl // divn_small // addn0.
  Qed.

  Lemma domainP (r : 'I_R) x : domain r x -> [\/ exists2 i, i < left_inner & x = left_name i,
    exists (v : 'I_(R ^ b)) (i : 'I_n), x = left_name (left_inner + (v * n + i))
    | exists2 j, j < right_inner & x = right_name (child U R j r)].
  Proof.
    rewrite /domain; case: (boolP (is_left x)) => [/left_nameK [lt E] _ | notl /= /andP [/andP [lo hi] /eqP Er]].
      case: (ltnP (left_number x) left_inner) => [inner | leaf]; first by constructor 1; exists (left_number x).
      have [|v [i Ev]] := @leaf_split (left_number x - left_inner); first by rewrite ltn_subLR // -left_total.
      by constructor 2; exists v, i; rewrite -Ev subnKC.
    constructor 3; exists ((right_number x - U) %/ R).
      rewrite ltn_divLR // mulnC /right_number addKn -/(level U R b.+1); move: hi; rewrite -ltn_subLR // => hi.
      by apply: leq_trans hi _; rewrite /= addKn.
    rewrite /child -Er -addnA (mulnC R) -divn_eq /right_number addKn /right_name ltnNge leq_addr /= addKn subnKC //.
  Qed.

  Lemma forward_inj (r : 'I_R) : {in domain r &, injective (forward r)}.
  Proof.
    move=> x y; rewrite !unfold_in => /domainP dx /domainP dy.
    case: dx => [[i lt_i ->]|[v [i ->]]|[j lt_j ->]]; case: dy => [[i' lt_i' ->]|[v' [i' ->]]|[j' lt_j' ->]];
      rewrite ?(proj2 (forward_left r lt_i)) ?(proj2 (forward_left r lt_i')) ?(proj2 (forward_leaf r v i)) ?(proj2 (forward_leaf r v' i'))
        ?(proj2 (forward_right r lt_j)) ?(proj2 (forward_right r lt_j')).
    - move/left_name_inj => /eqP; rewrite /child eqn_add2r eqn_add2l eqn_pmul2l // => /eqP E; first by rewrite E.
    - by move/eqP; rewrite (negbTE (apart _ (child_left r lt_i))).
    - by move/eqP; rewrite (negbTE (apart _ (child_left r lt_i))).
    - by move/esym/eqP; rewrite (negbTE (apart _ (child_left r lt_i'))).
    - move/right_name_inj; rewrite -!addnA => /addnI E.
      have P : 0 < R ^ b by rewrite expn_gt0 R_positive.
      have Ev : v = v' by apply: val_inj; move: (congr1 (fun z => z %% R ^ b) E); rewrite !modnMDl !modn_small.
      move: E; rewrite Ev => /addIn /eqP; rewrite eqn_pmul2r // => /eqP /val_inj /(injectiveP _ (valP (f (r, v')))) ->.
      by [].
    - by move/right_name_inj => E; move: lt_j'; rewrite -E -addnA ltnNge leq_addr.
    - by move/esym/eqP; rewrite (negbTE (apart _ (child_left r lt_i'))).
    - by move/right_name_inj => E; move: lt_j; rewrite E -addnA ltnNge leq_addr.
    - by move/right_name_inj ->.
  Qed.

  Lemma forward_small (r : 'I_R) x : domain r x -> forward r x < N.+1.
  Proof.
    case/domainP => [[i lt_i ->]|[v [i ->]]|[j lt_j ->]].
    - by rewrite (proj2 (forward_left r lt_i)) left_small //; case/andP: (child_left r lt_i).
    - by rewrite (proj2 (forward_leaf r v i)) right_small // leaf_bound.
    - by rewrite (proj2 (forward_right r lt_j)) right_small // (leq_trans lt_j) // level_le.
  Qed.

  (** The table that goes forward, and how the queries walk through it. *)
  Lemma walks : exists pi : untyped N R, forall (r : 'I_R) (x : entity), domain r x -> pi r x = forward r x :> nat.
  Proof.
    have /fin_all_exists [p P] : forall r, exists p : 'S_N.+1, {in [set x : entity | domain r x], forall x, p x = inord (forward r x)}.
      move=> r; apply: extends => x y; rewrite !inE => dx dy /(congr1 val) /=; rewrite !inordK ?forward_small //.
      by move/(forward_inj dx dy)/val_inj.
    by exists (finfun p) => r x dx; rewrite ffunE P ?inE // inordK // forward_small.
  Qed.

  Definition goes_forward (pi : untyped N R) : Prop := forall (r : 'I_R) (x : entity), domain r x -> pi r x = forward r x :> nat.

  Section Walk.
    Variable pi : untyped N R.
    Hypothesis W : goes_forward pi.

    Lemma hopE t (r : 'I_R) : every_hop pi t r = pi r.
    Proof. by rewrite /every_hop valK. Qed.

    Lemma walk_left s w : s < T -> size w <= a -> all (fun r => r < R) w ->
      follow (every_hop pi) 0 w (inord s) = left_name (node T R s w) :> nat.
    Proof.
      move=> lt_s; elim/last_ind: w => [|w q IH] le lets.
        have lt : s < level T R a.+1 by apply: leq_trans lt_s (leq_addr _ _).
        by have := left_small lt; rewrite /= /left_name lt_s => /inordK.
      move: le lets; rewrite size_rcons all_rcons => le /andP [lt_q lets].
      rewrite follow_rcons -[q]/(nat_of_ord (Ordinal lt_q)) hopE node_rcons; have E := IH (ltnW le) lets.
      have lt : node T R s w < left_inner.
        by case/andP: (node_bounds lt_s lets) => _ hi; apply: leq_trans hi (level_mono _ _ le).
      by have [dom go] := forward_left (Ordinal lt_q) lt; rewrite W E.
    Qed.

    Lemma walk_right y w t (x : entity) : y < U -> size w <= b -> all (fun r => r < R) w -> x = right_name (node U R y w) :> nat ->
      follow (every_hop pi) t (rev w) x = y :> nat.
    Proof.
      move=> lt_y; elim/last_ind: w t x => [|w q IH] t x le lets E; first by rewrite /= E /right_name lt_y.
      move: le lets E; rewrite size_rcons all_rcons node_rcons rev_rcons => le /andP [lt_q lets] E.
      rewrite /= -[q]/(nat_of_ord (Ordinal lt_q)) hopE; apply: IH => //; first exact: ltnW.
      have lt : node U R y w < right_inner.
        by case/andP: (node_bounds lt_y lets) => _ hi; apply: leq_trans hi (level_mono _ _ le).
      by have [dom go] := forward_right (Ordinal lt_q) lt; rewrite W E.
    Qed.
  End Walk.
End Untyped.

Section Floor.
  Variables (N R T U a b n : nat).
  Hypothesis R_positive : 0 < R.
  Hypothesis classes : T * R ^ a = R ^ b * n.
  Hypothesis fits : maxn T U + (level T R a.+1 - T) + (level U R b.+1 - U) <= N.+1.

  Lemma asked_untyped (r : 'I_R) (v : 'I_(R ^ b)) (i : 'I_n) : exists s w, [/\ s < T, size w = (a + b).+1, all (fun r => r < R) w
    & forall (f : choice R U b n) (pi : untyped N R), goes_forward T a f pi -> answered pi s w = val (f (r, v)) i :> nat].
  Proof.
    have lt_x : v * n + i < T * R ^ a.
      rewrite classes; apply: leq_trans (_ : v.+1 * n <= _); first by rewrite mulSn addnC ltn_add2r.
      by rewrite leq_mul2r ltn_ord orbT.
    have [|s [w1 [lt_s sz1 lets1 E1]]] := @leaf T R R_positive a (level T R a + (v * n + i)).
      by rewrite leq_addr (left_total R T a) ltn_add2l.
    have [w2 [sz2 lets2 E2]] := backwards U R_positive (ltn_ord v).
    exists s, (w1 ++ nat_of_ord r :: rev w2); split=> // [||f pi W].
    - by rewrite size_cat /= size_rev sz1 sz2 addnS.
    - by rewrite all_cat lets1 /= ltn_ord all_rev.
    - rewrite /answered follow_cat /= hopE; have le_b : size w2 <= b by rewrite sz2.
      apply: (walk_right R_positive W _ (ltn_ord _) le_b lets2).
      have [dom go] := forward_leaf classes f r v i.
      have E := walk_left fits W lt_s (eq_leq sz1) lets1.
      by rewrite W E E1 // go E2.
  Qed.

  Variables (Row Column Others : finType) (disp : unit) (Score : porderType disp).
  Variables (embed : untyped N R -> nat -> Row) (unembed : untyped N R -> 'I_N.+1 -> Column) (others : untyped N R -> Others).
  Variable score : Row -> Others -> seq nat -> Column -> Score.

  Theorem two_sided_untyped :
    (forall pi s w, s < T -> size w = (a + b).+1 -> all (fun r => r < R) w ->
      recalled embed unembed others score (@answered N R) pi s w) ->
    (U ^_ n) ^ (R ^ b.+1) <= #|Row| ^ T * #|Column| ^ U * #|Others|.
  Proof.
    move=> right; rewrite -card_choice.
    have /fin_all_exists [table W] : forall f : choice R U b n, exists pi : untyped N R, goes_forward T a f pi.
      by move=> f; apply: walks.
    apply: (sides_floor (table := table) (answer := @answered N R) (score := score)) => f g ne.
    have /existsP [[r v] ne_rv] : [exists q, f q != g q].
      by apply: contraR ne => /existsPn E; apply/eqP/ffunP => q; apply/eqP; rewrite -[_ == _]negbK E.
    have /existsP [i ne_i] : [exists i, val (f (r, v)) i != val (g (r, v)) i].
      apply: contraR ne_rv => /existsPn E; apply/eqP/val_inj/ffunP => i; apply/eqP; rewrite -[_ == _]negbK; exact: E.
    have [s [w [lt_s sz lets E]]] := asked_untyped r v i; exists s, w.
    split; [by [] | by apply: right | by apply: right | |]; rewrite -?val_eqE /= !(E _ _ (W _)) //.
    by rewrite !ltn_ord.
  Qed.
End Floor.
