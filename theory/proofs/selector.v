(** C11(a): why there is an MLP. Without one, attention that does not look at tokens makes logits additive,
    f(s, a) + g(r, a), and no additive model recalls two different bijections onto one set of attributes.
    The numbers are those of any ordered integral domain: integers, rationals, reals. *)

From mathcomp Require Export all_ssreflect all_fingroup all_algebra.
Set Implicit Arguments.
Unset Strict Implicit.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section TwoRelations.
  Variables (K : realDomainType) (Subject Attribute : finType) (p q : Subject -> Attribute).

  (** An additive model: f for subjects, g for relation p, h for relation q; every margin is positive. *)
  Definition recalls (f : Subject -> Attribute -> K) (g h : Attribute -> K) : Prop :=
    (forall s b, b != p s -> f s b + g b < f s (p s) + g (p s)) /\
    (forall s b, b != q s -> f s b + h b < f s (q s) + h (q s)).

  (** The margin of (p, s) against q(s) and that of (q, s) against p(s) leave g - h alone. *)
  Definition right (r : Subject -> Attribute) (f : Subject -> Attribute -> K) (g : Attribute -> K) s : Prop :=
    forall b, b != r s -> f s b + g b < f s (r s) + g (r s).

  Lemma pair_at f g h s : right p f g s -> right q f h s -> p s != q s -> g (q s) - h (q s) < g (p s) - h (p s).
  Proof.
    move=> Hp Hq ne; have P := Hp (q s); have Q := Hq (p s); rewrite eq_sym ne in P; rewrite ne in Q.
    have := ltr_add (P isT) (Q isT); rewrite addrACA [X in _ < X]addrACA (addrC (f s (q s))) ltr_add2l.
    by rewrite ltr_subl_addr addrAC ltr_subr_addr.
  Qed.

  Lemma pair_of_margins f g h s : recalls f g h -> p s != q s -> g (q s) - h (q s) < g (p s) - h (p s).
  Proof. by case=> Hp Hq; apply: pair_at => b; [apply: Hp | apply: Hq]. Qed.

  (** Relations that give every attribute to equally many subjects: weights 1 on all these margins add up to 0. *)
  Theorem selector_necessary f g h s0 :
    (forall a, #|[set s | p s == a]| = #|[set s | q s == a]|) -> p s0 != q s0 -> ~ recalls f g h.
  Proof.
    move=> counts ne rec; have sums (u : Attribute -> K) : \sum_s u (p s) = \sum_s u (q s).
      have each (r : Subject -> Attribute) : \sum_s u (r s) = \sum_a u a *+ #|[set s | r s == a]|.
        rewrite (partition_big r predT) //=; apply: eq_bigr => a _.
        by rewrite (eq_bigr (fun=> u a)) => [|s /eqP -> //]; rewrite sumr_const cardsE.
      by rewrite !each; apply: eq_bigr => a _; rewrite counts.
    pose D a := g a - h a; have nonneg s : true -> 0 <= D (p s) - D (q s).
      by case: (eqVneq (p s) (q s)) => [-> | /(pair_of_margins rec)/ltW]; rewrite ?subrr // subr_ge0.
    have zero : \sum_s (D (p s) - D (q s)) = 0 by rewrite sumrB (sums D) subrr.
    have /eqP := psumr_eq0P nonneg zero (i := s0) isT; rewrite subr_eq0 => /eqP E.
    by have := pair_of_margins rec ne; rewrite -/(D _) -/(D (p s0)) E ltxx.
  Qed.

  (** The subject's token may weigh otherwise for each relation, also nothing. *)
  Corollary selector_necessary_weighted (alpha beta : K) f g h s0 : 0 <= alpha -> 0 <= beta ->
    (forall a, #|[set s | p s == a]| = #|[set s | q s == a]|) -> p s0 != q s0 ->
    ~ ((forall s b, b != p s -> alpha * f s b + g b < alpha * f s (p s) + g (p s)) /\
       (forall s b, b != q s -> beta * f s b + h b < beta * f s (q s) + h (q s))).
  Proof.
    move=> a_pos b_pos counts ne [Hp Hq]; have one (r : Subject -> Attribute) (u : Attribute -> K) :
        (forall s b, b != r s -> 0 * f s b + u b < 0 * f s (r s) + u (r s)) -> forall s s', r s = r s'.
      move=> H s s'; apply/eqP; apply: contraT => d; have := H s (r s'); have := H s' (r s).
      by rewrite !mul0r !add0r d eq_sym d => /(_ isT) lt /(_ isT) /(lt_trans lt); rewrite ltxx.
    have full (r r' : Subject -> Attribute) : (forall a, #|[set s | r s == a]| = #|[set s | r' s == a]|) ->
        (forall s s', r s = r s') -> r s0 = r' s0.
      move=> c same; have /eqP := c (r s0); rewrite (_ : [set s | r s == r s0] = setT); last by apply/setP => s; rewrite !inE (same s s0) eqxx.
      rewrite cardsT => /eqP E; have /setP /(_ s0) : [set s | r' s == r s0] = setT.
        by apply/eqP; rewrite eqEcard subsetT cardsT E leqnn.
      by rewrite !inE => /eqP ->.
    move: a_pos b_pos; rewrite !le_eqVlt => /predU1P [a0 | a_pos]; first by case/eqP: ne; apply: full counts _; apply: (one p g); rewrite a0.
    move=> /predU1P [b0 | b_pos]; first by case/eqP: ne; apply/esym; apply: full (fun a => esym (counts a)) _; apply: (one q h); rewrite b0.
    apply: (selector_necessary counts ne (f := fun s a => alpha * beta * f s a) (g := fun a => beta * g a) (h := fun a => alpha * h a)).
    split=> s b d; rewrite -?mulrA -?mulrDr; first by rewrite (mulrCA alpha) (mulrCA alpha beta) -!mulrDr ltr_pmul2l // Hp.
    by rewrite ltr_pmul2l // Hq.
  Qed.

  Corollary bijections (f : Subject -> Attribute -> K) g h s0 :
    bijective p -> bijective q -> p s0 != q s0 -> ~ recalls f g h.
  Proof.
    move=> bp bq ne; apply: (selector_necessary _ ne) => a.
    have one (r : Subject -> Attribute) : bijective r -> #|[set s | r s == a]| = 1%N.
      case=> r' rK r'K; rewrite -(cards1 (r' a)); apply: eq_card => s; rewrite !inE.
      by apply/eqP/eqP => [<- | ->].
    by rewrite !one.
  Qed.

  (** ** How much is lost: a fact for every cycle of p^-1 q of two or more subjects, at least, *)

  Section Cycles.
  Variable c : {perm Subject}.
  Hypothesis follows : forall s, p (c s) = q s.

  Definition wrong (f : Subject -> Attribute -> K) (g h : Attribute -> K) : {set bool * Subject} :=
    [set x | let (r, u) := if x.1 then (p, g) else (q, h) in ~~ [forall b, (b != r x.2) ==> (f x.2 b + u b < f x.2 (r x.2) + u (r x.2))]].

  Hypothesis p_inj : injective p.

  Lemma alone y : c y = y -> porbit c y = [set y].
  Proof.
    move=> fixed; apply/setP => z; rewrite inE; apply/porbitP/eqP => [[i ->] | ->]; last by exists 0%N; rewrite perm1.
    by elim: i => [|i IH]; rewrite ?perm1 // expgSr permM IH.
  Qed.

  Lemma cycle_loses f g h s : (1 < #|porbit c s|)%N -> exists2 x, x \in wrong f g h & x.2 \in porbit c s.
  Proof.
    move=> big; set X := porbit c s; apply/exists_inP; apply: contraLR big => /exists_inPn none; apply/negP => big.
    have ok (r : bool) y : y \in X -> right (if r then p else q) f (if r then g else h) y.
      move=> yX b ne; apply: contraTT (yX) => bad; apply: (none (r, y)); rewrite inE /=.
      by case: r ne bad => /= ne bad; apply/forallPn; exists b; rewrite ne.
    have moves y : y \in X -> p y != q y.
      move=> yX; rewrite -follows (inj_eq p_inj); apply: contraTN big => /eqP/esym fixed.
      have E : porbit c y = porbit c s by apply/eqP; rewrite eq_porbit_mem.
      by rewrite -leqNgt -E alone ?cards1.
    pose D a := g a - h a; have down y : y \in X -> D (p (c y)) < D (p y).
      by move=> yX; rewrite follows; apply: (pair_at (f := f)); [apply: (ok true) | apply: (ok false) | apply: moves].
    have same : \sum_(y in X) D (p (c y)) = \sum_(y in X) D (p y).
      rewrite [RHS](reindex_inj (@perm_inj _ c)) /=; apply: eq_bigl => y.
      by have E := porbit_perm c 1 y; rewrite expg1 in E; rewrite /X -!eq_porbit_mem E.
    have zero : \sum_(y in X) (D (p y) - D (p (c y))) = 0 by rewrite sumrB same subrr.
    have sX : s \in X by apply: porbit_id.
    have nonneg y : y \in X -> 0 <= D (p y) - D (p (c y)) by move=> yX; rewrite subr_ge0 ltW // down.
    by have := psumr_eq0P nonneg zero sX; apply/eqP; rewrite subr_eq0 gt_eqF // down.
  Qed.

  Theorem cycles_lost f g h : (#|[set X in porbits c | 1 < #|X|]| <= #|wrong f g h|)%N.
  Proof.
    apply: leq_trans (leq_imset_card (fun x : bool * Subject => porbit c x.2) _); apply: subset_leq_card.
    apply/subsetP => X; rewrite inE => /andP [/imsetP [s _ ->]] /(cycle_loses f g h) [x wx xs].
    by apply/imsetP; exists x => //; apply/esym/eqP; rewrite eq_porbit_mem.
  Qed.

  (** and no more: one edge is taken from every cycle, and heights fall along the rest. *)

  Definition height (s : Subject) : nat := findex c (froot c s) s.
  Definition cut (s : Subject) : bool := (c s == froot c s) && (c s != s).
  Let c_inj : injective c := @perm_inj _ c.

  Lemma rooted s : fconnect c (froot c s) s.
  Proof. by rewrite (fconnect_sym c_inj) connect_root. Qed.

  Lemma height_small s : (height s < #|Subject|)%N.
  Proof. by apply: leq_trans (findex_max (rooted s)) (max_card _). Qed.

  Lemma height_next s : c s != froot c s -> height (c s) = (height s).+1.
  Proof.
    move=> ne; have same : froot c (c s) = froot c s.
      by apply/eqP; rewrite (root_connect (fconnect_sym c_inj)) (fconnect_sym c_inj) fconnect1.
    have next : iter (height s).+1 c (froot c s) = c s by rewrite /= iter_findex ?rooted.
    have le := findex_max (rooted s); rewrite leq_eqVlt in le; case/predU1P: le => [E | lt].
      by case/eqP: ne; rewrite -next /height E iter_order.
    by rewrite {1}/height same -next findex_iter.
  Qed.

  Definition level (a : Attribute) : nat := if [pick s | p s == a] is Some s then #|Subject| - height s else 0.

  Lemma levelE s : level (p s) = (#|Subject| - height s)%N.
  Proof. by rewrite /level; case: pickP => [s' /eqP/p_inj -> // | /(_ s)]; rewrite eqxx. Qed.

  Lemma level_small a : (level a <= #|Subject|)%N.
  Proof. by rewrite /level; case: pickP => // s _; apply: leq_subr. Qed.

  Lemma level_falls s : ~~ cut s -> p s != q s -> (level (q s) < level (p s))%N.
  Proof.
    rewrite -follows (inj_eq p_inj) eq_sym /cut negb_and => ok ne; rewrite ne orbF in ok.
    by rewrite !levelE height_next // ltn_sub2l // height_small.
  Qed.

  Definition kept (s : Subject) : Attribute := if cut s then q s else p s.
  Let big : K := (#|Subject|.+1)%:R.
  Definition lean (s : Subject) (a : Attribute) : K := if (a == kept s) || (a == q s) then big else 0.

  Lemma lean_wrong : wrong lean (fun a => (level a)%:R) (fun a => - (level a)%:R) \subset [set (true, s) | s in cut].
  Proof.
    have lev a : (0 <= (level a)%:R :> K) && ((level a)%:R < big) by rewrite ler0n ltr_nat ltnS level_small.
    have far a b : (level b)%:R < big + (level a)%:R by rewrite ltr_paddr //; case/andP: (lev b); case/andP: (lev a).
    apply/subsetP => [[r s]]; rewrite inE; case: r => /= /forallPn [b]; rewrite negb_imply => /andP [ne /negP bad].
      apply/imsetP; exists s => //; rewrite unfold_in; case ok: (cut s) => //; case: bad.
      rewrite /lean /kept ok eqxx (negbTE ne) /=; case: eqP => [E | _]; last by rewrite add0r far.
      by rewrite ltr_add2l ltr_nat E level_falls ?ok // -E eq_sym.
    exfalso; apply: bad; rewrite /lean eqxx orbT (negbTE ne) orbF; case: eqP => [E | _].
      rewrite ltr_add2l ltr_opp2 ltr_nat E; move: E ne; rewrite /kept; case: ifP => [_ -> | /negbT ok -> ne]; first by rewrite eqxx.
      exact: level_falls.
    by rewrite add0r ltr_subr_addr addrC ltr_subl_addr far.
  Qed.

  Lemma card_cut : (#|cut| <= #|[set X in porbits c | 1 < #|X|]|)%N.
  Proof.
    have inj : {in cut &, injective (porbit c)}.
      move=> s s' /andP [/eqP E _] /andP [/eqP E' _] eq; apply: c_inj; rewrite E E'; apply/eqP.
      rewrite (root_connect (fconnect_sym c_inj)) (fconnect_sym c_inj); have : s \in porbit c s' by rewrite -eq porbit_id.
      by case/porbitP=> i ->; rewrite permX fconnect_iter.
    rewrite -(card_in_imset inj); apply: subset_leq_card; apply/subsetP => X /imsetP [s /andP [_ moves] ->].
    rewrite inE; apply/andP; split; first exact: imset_f.
    rewrite ltnNge; apply: contra moves => /card_le1_eqP one; apply/eqP/one; rewrite ?porbit_id //.
    by have := mem_porbit c 1 s; rewrite expg1.
  Qed.

  Theorem cycles_enough : exists f g h, #|wrong f g h| = #|[set X in porbits c | (1 < #|X|)%N]|.
  Proof.
    exists lean, (fun a => (level a)%:R), (fun a => - (level a)%:R); apply/eqP; rewrite eqn_leq cycles_lost andbT.
    apply: leq_trans (subset_leq_card lean_wrong) (leq_trans _ card_cut); exact: leq_imset_card.
  Qed.
  End Cycles.

  (** ** Two relations of any kind: additive exactly if the graph p(s) -> q(s), loops dropped, has no cycle *)

  Definition edge : rel Attribute := fun a b => (a != b) && [exists s, (p s == a) && (q s == b)].
  Definition acyclic : Prop := forall a b, edge a b -> ~~ connect edge b a.

  Theorem cycle_criterion : (exists f g h, recalls f g h) <-> acyclic.
  Proof.
    split=> [[f [g [h rec]]] a b ab | acyc].
      pose D c := g c - h c; have down x y : edge x y -> D y < D x.
        by case/andP=> ne /existsP [s /andP [/eqP ps /eqP qs]]; move: ne; rewrite -ps -qs; apply: (pair_of_margins rec).
      apply/negP => /connectP [path ab' last]; have /lt_geF := down _ _ ab; case/negP.
      rewrite last; elim: path (b) ab' {last ab} => //= c path IH x /andP [/down lt_c /IH le_c].
      exact: le_trans le_c (ltW lt_c).
    pose H a : K := #|[set x | connect edge a x]|%:R; pose big : K := (#|Attribute|.+1)%:R.
    have H_down a b : edge a b -> H b < H a.
      move=> ab; rewrite ltr_nat; apply: proper_card; apply/properP; split.
        by apply/subsetP => x; rewrite !inE; apply: connect_trans; apply: connect1.
      by exists a; rewrite !inE ?connect0 // acyc.
    have H_big a : 0 <= H a < big by rewrite ler0n ltr_nat ltnS max_card.
    have H_far a b : H b < big + H a by rewrite ltr_paddr //; case/andP: (H_big b); case/andP: (H_big a).
    have ask s : p s != q s -> H (q s) < H (p s).
      by move=> ne; apply: H_down; rewrite /edge ne; apply/existsP; exists s; rewrite !eqxx.
    exists (fun s a => if (a == p s) || (a == q s) then big else 0), H, (fun a => - H a).
    split=> s b ne; rewrite eqxx ?orbT /= (negbTE ne) ?orbF /=; case: eqP => [E | _].
    - by rewrite E ltr_add2l ask // -E eq_sym.
    - by rewrite add0r H_far.
    - by rewrite E ltr_add2l ltr_opp2 ask // -E.
    - by rewrite add0r ltr_subr_addr addrC ltr_subl_addr H_far.
  Qed.
End TwoRelations.
