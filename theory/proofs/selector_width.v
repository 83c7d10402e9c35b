(** C1'': how wide an exact selector must be: w >= (R - 1) m.

    Weights are of any ordered field. There are R + 1 relations here, so the floor reads R m. *)

From mathcomp Require Export all_ssreflect all_algebra.
Set Implicit Arguments.
Unset Strict Implicit.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

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

  (** Two points in that direction at which the selector is exact: the neurons cannot tell them apart. *)
  Lemma blind v t z : t != 0 -> z *m E *m W_in = 0 -> word last z = 0 -> selects v -> selects (v + t *: z) -> z = 0.
  Proof.
    move=> t0 zW zl sel sel'.
    have moved r : output r (v + t *: z) = output r v + t *: (z *m E *m through).
      have same : residual r (v + t *: z) *m W_in = residual r v *m W_in.
        by rewrite /residual !mulmxDl -!scalemxAl zW scaler0 addr0.
      by rewrite /output /neurons same /residual !mulmxDl -!scalemxAl !(addrAC _ (t *: (z *m E *m through))).
    have words r : word r z = z *m E *m through.
      apply: (scalerI t0); have := sel' r; rewrite moved sel -!readE mulmxDl -scalemxAl.
      by move/addrI/esym.
    apply/rowP => i; case/mxvec_indexP: i => r j.
    have /rowP/(_ j) : word r z = 0 by rewrite words -(words last).
    by rewrite !mxE.
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
End Selector.
