(** C1'': how wide an exact selector must be: w >= (R - 1) m.

    Weights are of any ordered field. There are R + 1 relations here, so the floor reads R m. *)

From mathcomp Require Export all_ssreflect all_algebra.
Set Implicit Arguments.
Unset Strict Implicit.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** * On a grid: a hinge cuts at most one cell of each diagonal chain along which it ascends *)

Section Chains.
  Variables (F : realFieldType) (L : nat).

  Definition ascends N (G : 'I_N -> nat -> F) := forall k i j, (i <= j <= L)%N -> G k i <= G k j.
  Definition below N (G : 'I_N -> nat -> F) c0 (c : {ffun 'I_N -> 'I_L}) := \sum_k G k (c k) + c0.
  Definition above N (G : 'I_N -> nat -> F) c0 (c : {ffun 'I_N -> 'I_L}) := \sum_k G k (c k).+1 + c0.
  Definition cut N (G : 'I_N -> nat -> F) c0 c := (below G c0 c < 0) && (0 < above G c0 c).

  (** A chain is named by a least coordinate of its cells and what the others have more. *)
  Lemma card_cut N (G : 'I_N -> nat -> F) c0 : (0 < N)%N -> ascends G -> (#|[set c | cut G c0 c]| <= N * L ^ N.-1)%N.
  Proof.
    case: N G => // n G _ up; pose cell := {ffun 'I_n.+1 -> 'I_L}; pose least (c : cell) := [arg min_(k < ord0) c k]%N.
    have leastP (c : cell) k : (c (least c) <= c k)%N by rewrite /least; case: arg_minnP => // i _; apply.
    pose more (c : cell) j := Ordinal (leq_ltn_trans (leq_subr (c (least c)) (c (lift (least c) j))) (ltn_ord _)).
    pose name c := (least c, [ffun j => more c j]).
    have cross (c c' : cell) : cut G c0 c -> cut G c0 c' -> (forall k, (c k < c' k)%N) -> False.
      case/andP=> _ ab /andP [be _] lt_k; have le : above G c0 c <= below G c0 c'.
        by rewrite ler_add2r; apply: ler_sum => k _; apply: up; rewrite lt_k ltnW.
      by have := lt_trans (lt_le_trans ab le) be; rewrite ltxx.
    have inj : {in [set c | cut G c0 c] &, injective name}.
      move=> c c'; rewrite !inE => cu cu' [El /ffunP Em].
      have diff k : (c k - c (least c) = c' k - c' (least c))%N.
        case: (unliftP (least c) k) => [j -> | ->]; last by rewrite !subnn.
        by have /(congr1 val) := Em j; rewrite !ffunE /= -El.
      have le' k : (c' (least c) <= c' k)%N by rewrite El.
      have shift k : (c k + c' (least c) = c' k + c (least c))%N.
        by rewrite -(subnK (leastP c k)) diff addnAC subnK.
      case: (ltngtP (c (least c)) (c' (least c))) => [lt | gt | eq].
      - by case: (cross c c' cu cu') => k; rewrite -(ltn_add2r (c (least c))) -shift ltn_add2l.
      - by case: (cross c' c cu' cu) => k; rewrite -(ltn_add2r (c' (least c))) shift ltn_add2l.
      - by apply/ffunP => k; apply: val_inj; have /eqP := shift k; rewrite eq eqn_add2r => /eqP.
    rewrite -(card_in_imset inj); apply: leq_trans (max_card _) _.
    by rewrite card_prod card_ffun !card_ord.
  Qed.
End Chains.

(** A cell's corners, and an affine function on them: between what it is below and above, in a flipped cell. *)
Section Hinges.
  Variables (F : realFieldType) (n L : nat) (g : 'I_n -> nat -> F).
  Hypothesis increasing : forall k i j, (i < j <= L)%N -> g k i < g k j.
  Local Notation cell := {ffun 'I_n -> 'I_L}.

  Definition corner (c : cell) (up : 'I_n -> bool) : 'rV[F]_n := \row_k g k (c k + up k)%N.
  Definition at_corner (l : 'I_n -> F) c0 c up := \sum_k l k * corner c up 0 k + c0.
  Definition uncut l c0 (c : cell) := (forall up, 0 <= at_corner l c0 c up) \/ (forall up, at_corner l c0 c up <= 0).

  Definition slope (l : 'I_n -> F) k i := if l k < 0 then l k * g k (L - i) else l k * g k i.
  Definition flip (l : 'I_n -> F) (c : cell) : cell := [ffun k => if l k < 0 then rev_ord (c k) else c k].

  Lemma flip_inj l : injective (flip l).
  Proof.
    by move=> c c' /ffunP E; apply/ffunP => k; move: (E k); rewrite !ffunE; case: ifP => // _; apply: rev_ord_inj.
  Qed.

  Lemma not_decreasing k i j : (i <= j <= L)%N -> g k i <= g k j.
  Proof.
    case/andP; rewrite leq_eqVlt => /predU1P [-> | lt] le; first exact: lexx.
    by apply/ltW/increasing; rewrite lt.
  Qed.

  Lemma slope_ascends l : ascends L (slope l).
  Proof.
    move=> k i j /andP [ij jL]; rewrite /slope; case: ifP => [neg | /negbT]; last first.
      by rewrite -leNgt => pos; rewrite ler_wpmul2l ?not_decreasing ?ij.
    by rewrite ler_nmul2l // not_decreasing // leq_sub2l ?leq_subr.
  Qed.

  Lemma between l c0 c up : below (slope l) c0 (flip l c) <= at_corner l c0 c up <= above (slope l) c0 (flip l c).
  Proof.
    have next k (b : bool) : (c k <= c k + b <= (c k).+1)%N by case: b; rewrite ?addn1 ?addn0 ?leqnSn ?leqnn.
    have le k := ltn_ord (c k).
    have inv k : (L - (L - (c k).+1))%N = (c k).+1 by rewrite subKn.
    have inv' k : (L - (L - (c k).+1).+1)%N = c k by rewrite subnSK // subKn // ltnW.
    rewrite !ler_add2r; apply/andP; split; apply: ler_sum => k _; rewrite /slope ffunE mxE; have /andP [lo hi] := next k (up k);
      (case neg: (l k < 0); [|have pos : 0 <= l k by rewrite leNgt neg]); rewrite /= ?inv ?inv'.
    - by rewrite ler_nmul2l // not_decreasing // hi le.
    - by rewrite ler_wpmul2l // not_decreasing // lo (leq_trans hi).
    - by rewrite ler_nmul2l // not_decreasing // lo (leq_trans hi).
    - by rewrite ler_wpmul2l // not_decreasing // hi le.
  Qed.

  Lemma uncutP l c0 c : ~~ cut (slope l) c0 (flip l c) -> uncut l c0 c.
  Proof.
    rewrite negb_and -!leNgt => /orP [lo | hi]; [left | right] => up; case/andP: (between l c0 c up) => b a.
      exact: le_trans lo b.
    exact: le_trans a hi.
  Qed.

  (** Fewer hinges than L/n leave a cell uncut. *)
  Lemma some_uncut (H : finType) (l : H -> 'I_n -> F) (c0 : H -> F) : (0 < n)%N -> (#|H| * n < L)%N ->
    exists c, forall h, uncut (l h) (c0 h) c.
  Proof.
    move=> n_pos few; pose bad h := [set c | cut (slope (l h)) (c0 h) (flip (l h) c)].
    have le h : (#|bad h| <= n * L ^ n.-1)%N.
      rewrite -(card_imset _ (@flip_inj (l h))); apply: leq_trans (card_cut (c0 h) n_pos (slope_ascends (l h))).
      by apply: subset_leq_card; apply/subsetP => d /imsetP [c]; rewrite !inE => cc ->.
    case: (pickP (fun c => [forall h, c \notin bad h])) => [c /forallP ok | none].
      by exists c => h; apply: uncutP; move: (ok h); rewrite inE.
    have : (L ^ n <= #|H| * (n * L ^ n.-1))%N.
      rewrite -sum_nat_const -[X in (X ^ _)%N]card_ord -[X in (_ ^ X)%N]card_ord -card_ffun -sum1_card.
      apply: leq_trans (_ : \sum_c \sum_h (c \in bad h) <= _)%N.
        apply: leq_sum => c _; have /forallPn [h] := negbT (none c); rewrite negbK => inb.
        by rewrite (bigD1 h) //= inb.
      rewrite exchange_big /=; apply: leq_sum => h _; apply: leq_trans (le h).
      by rewrite -sum1_card [X in (_ <= X)%N]big_mkcond.
    by rewrite -[X in (_ ^ X <= _)%N](prednK n_pos) expnS mulnA leq_pmul2r ?expn_gt0 ?(leq_ltn_trans _ few) // leqNgt few.
  Qed.
End Hinges.

Section Selector.
  Variables (F : realFieldType) (R m d w : nat).
  Local Notation relation := 'I_(R + 1).

  (** Words v_r of R + 1 relations, side by side; their linear superposition; what the relation asked for adds. *)
  Variables (E : 'M[F]_((R + 1) * m, d)) (asked : relation -> 'rV[F]_d).
  (** One layer of w neurons of any activation, each its own, and one linear readout of residual and neurons. *)
  Variables (W_in : 'M[F]_(d, w)) (b_in : 'rV[F]_w) (activation : 'I_w -> F -> F).
  Variables (through : 'M[F]_(d, m)) (W_out : 'M[F]_(w, m)) (b_out : 'rV[F]_m).

  Definition word (r : relation) (v : 'rV[F]_((R + 1) * m)) : 'rV[F]_m := row r (vec_mx v).
  Definition residual r v : 'rV[F]_d := v *m E + asked r.
  Definition neurons r v : 'rV[F]_w := \row_i activation i ((residual r v *m W_in + b_in) 0 i).
  Definition output r v : 'rV[F]_m := residual r v *m through + neurons r v *m W_out + b_out.
  Definition selects v := forall r, output r v = word r v.

  Definition last : relation := rshift R ord0.
  Definition read (r : relation) : 'M[F]_((R + 1) * m, m) := \matrix_(i, j) (i == mxvec_index r j)%:R.

  Lemma readE r v : v *m read r = word r v.
  Proof.
    apply/rowP => j; rewrite !mxE (bigD1 (mxvec_index r j)) //= big1 => [|i /negbTE ne]; rewrite mxE ?ne ?mulr0 //.
    by rewrite eqxx mulr1 addr0.
  Qed.

  (** A direction that no neuron sees and that leaves the last word alone. *)
  Lemma unseen : (w < R * m)%N -> exists z, [/\ z != 0, z *m E *m W_in = 0 & word last z = 0].
  Proof.
    move=> few; pose K := row_mx (E *m W_in) (read last).
    have : (kermx K != 0).
      rewrite kermx_eq0 /row_free neq_ltn; apply/orP; left; apply: leq_ltn_trans (rank_leq_col _) _.
      by rewrite mulnDl mul1n ltn_add2r.
    case/rowV0Pn => z /sub_kermxP zK ne; exists z; move: zK; rewrite mul_mx_row -[0]row_mx0 => /eq_row_mx [zE zl].
    by split=> //; rewrite -?mulmxA // -readE.
  Qed.

  Lemma alike z : word last z = 0 -> (forall r, word r z = z *m E *m through) -> z = 0.
  Proof.
    move=> zl words; apply/rowP => i; case/mxvec_indexP: i => r j.
    have /rowP/(_ j) : word r z = 0 by rewrite words -(words last).
    by rewrite !mxE.
  Qed.

  (** Two points in that direction at which the selector is exact: the neurons cannot tell them apart. *)
  Lemma blind v t z : t != 0 -> z *m E *m W_in = 0 -> word last z = 0 -> selects v -> selects (v + t *: z) -> z = 0.
  Proof.
    move=> t0 zW zl sel sel'.
    have moved r : output r (v + t *: z) = output r v + t *: (z *m E *m through).
      have same : residual r (v + t *: z) *m W_in = residual r v *m W_in.
        by rewrite /residual !mulmxDl -!scalemxAl zW scaler0 addr0.
      by rewrite /output /neurons same /residual !mulmxDl -!scalemxAl !(addrAC _ (t *: (z *m E *m through))).
    apply: alike zl _ => r; apply: (scalerI t0); have := sel' r; rewrite moved sel -!readE mulmxDl -scalemxAl.
    by move/addrI/esym.
  Qed.

  (** An open box of values, however small. *)
  Theorem exact_selector_width (v0 : 'rV[F]_((R + 1) * m)) eps : 0 < eps ->
    (forall v : 'rV[F]_((R + 1) * m), (forall i, `|v 0 i - v0 0 i| <= eps) -> selects v) -> (R * m <= w)%N.
  Proof.
    move=> eps_pos sel; rewrite leqNgt; apply/negP => /unseen [z [z0 zW zl]].
    pose most := 1 + \sum_i `|z 0 i|.
    have most_pos : 0 < most by rewrite ltr_spaddl ?ltr01 ?sumr_ge0.
    have t0 : eps / most != 0 by rewrite mulf_neq0 ?invr_eq0 ?lt0r_neq0.
    case/negP: z0; apply/eqP; apply: (blind t0 zW zl (v := v0)); apply: sel => i; first by rewrite subrr normr0 ltW.
    rewrite !mxE addrAC subrr add0r normrM gtr0_norm ?divr_gt0 //.
    rewrite mulrAC ler_pdivr_mulr // ler_pmul2l // /most (bigD1 i) //= addrCA ler_addl.
    by rewrite addr_ge0 ?ler01 ?sumr_ge0.
  Qed.

  (** ** ReLU, on a grid of L + 1 values for every coordinate: in an uncut cell every output is affine *)

  Definition relu (x : F) : F := if 0 <= x then x else 0.

  Theorem exact_selector_width_on_grid (g : 'I_((R + 1) * m) -> nat -> F) L :
    (forall k i j, (i < j <= L)%N -> g k i < g k j) -> (forall i x, activation i x = relu x) ->
    ((R + 1) * w * ((R + 1) * m) < L)%N ->
    (forall v : 'rV[F]_((R + 1) * m), (forall k, exists2 i, (i <= L)%N & v 0 k = g k i) -> selects v) -> (R * m <= w)%N.
  Proof.
    move=> inc act enough sel; rewrite leqNgt; apply/negP => few; have [z [z0 zW zl]] := unseen few.
    have n_pos : (0 < (R + 1) * m)%N.
      by rewrite muln_gt0 addn1 /=; move: few; case: (posnP m) => // ->; rewrite muln0.
    pose l (h : relation * 'I_w) k := (E *m W_in) k h.2; pose c0 (h : relation * 'I_w) := (asked h.1 *m W_in + b_in) 0 h.2.
    have few_hinges : (#|[finType of relation * 'I_w]| * ((R + 1) * m) < L)%N by rewrite card_prod !card_ord.
    have [c un] := some_uncut inc l c0 n_pos few_hinges; pose p := corner g c.
    have pre r up i : (residual r (p up) *m W_in + b_in) 0 i = at_corner g (l (r, i)) (c0 (r, i)) c up.
      rewrite /residual mulmxDl -mulmxA -addrA mxE /at_corner /c0; congr (_ + _).
      by rewrite mxE; apply: eq_bigr => k _; rewrite mulrC.
    have /fin_all_exists [s sE] : forall h, exists s : F, forall up,
        relu (at_corner g (l h) (c0 h) c up) = s * at_corner g (l h) (c0 h) c up.
      move=> h; case: (un h) => ok; [exists 1 | exists 0] => up; rewrite /relu ?ok ?mul1r // mul0r.
      by case: ifP => // pos; apply/eqP; rewrite eq_le ok.
    pose S r := diag_mx (\row_i s (r, i)); pose J r := E *m through + E *m W_in *m S r *m W_out.
    pose K r := asked r *m through + (asked r *m W_in + b_in) *m S r *m W_out + b_out.
    have affine r up : output r (p up) = p up *m J r + K r.
      have -> : output r (p up) = residual r (p up) *m through + (residual r (p up) *m W_in + b_in) *m S r *m W_out + b_out.
        congr (_ + _ *m _ + _); apply/rowP => i.
        by rewrite mul_mx_diag [LHS]mxE act pre sE -pre [RHS]mxE mulrC; congr (_ * _); rewrite mxE.
      rewrite /residual /J /K mulmxDr !mulmxDl !mulmxA -!addrA; congr (_ + _).
      by rewrite addrCA.
    have on_grid up : selects (p up).
      apply: sel => k; exists (c k + up k)%N; last by rewrite mxE.
      by have lt := ltn_ord (c k); case: (up k); rewrite /= ?addn1 ?addn0 // ltnW.
    have jacobian r : read r = J r.
      apply/row_matrixP => k; rewrite !rowE.
      pose step := g k (c k).+1 - g k (c k); have step0 : step != 0 by rewrite subr_eq0 gt_eqF // inc // ltnSn ltn_ord.
      have moved : p (eq_op^~ k) = p (fun=> false) + step *: delta_mx 0 k.
        apply/rowP => j; rewrite !mxE eqxx andTb; case: eqP => [-> | _]; last by rewrite mulr0 addr0.
        by rewrite /= (addn1 (c k)) (addn0 (c k)) mulr1 addrC subrK.
      apply: (scalerI step0); have := on_grid (eq_op^~ k) r; rewrite affine moved -readE !mulmxDl -!scalemxAl.
      by rewrite addrAC -affine on_grid -readE => /addrI ->.
    case/negP: z0; apply/eqP/(alike zl) => r.
    by rewrite -readE jacobian /J mulmxDr !mulmxA zW !mul0mx addr0.
  Qed.
End Selector.
