(** C1 below the gate, 0 <= gate <= 1, sign codes: blocks not asked for leak, and a pair's threshold is sharp. *)

From Georecall Require Import transformer single_hop hops.

Section BelowGate.
  Variables (N R m : nat) (pi : nat -> nat -> nat) (u : nat -> nat -> Q) (gate : Q) (bias : nat -> Q).
  Hypothesis u_signs : signs m u.
  Hypothesis low_gate : 0 <= gate <= 1.
  Hypothesis unbiased : nearest m u bias.
  Variables (s r : nat).
  Hypothesis subject : (s < N)%nat.
  Hypothesis relation : (r < R)%nat.
  Let S := Space R m m 0 0 0 0.
  Let model := separate N R m pi u (-(1)) gate bias.
  Let y := pi r s.

  (** What all blocks but the asked one add to coordinate j of the readout. *)
  Definition leak (j : nat) : Q := Σ b ∈ range R, (if (b =? r)%nat then 0 else (1 + u (pi b s) j) * (1 - gate)).

  Theorem leaks j : (j < m)%nat -> residual model (query N s r) 1 (Readout j) == u y j + leak j.
  Proof.
    intro J. unfold model, separate. rewrite residual_one. set (x := attended _ _ _ _).
    assert (X : forall b i, (b < R)%nat -> (i < m)%nat -> x (Block b i) == u (pi b s) i + if (b =? r)%nat then 2 * gate else 0).
    { intros b i Hb Hi. unfold x. rewrite superposed by (trivial; cbn; lia). cbn [superposition].
      rewrite (proj2 (Nat.ltb_lt s N) subject), (proj2 (Nat.ltb_ge (N + r) N)) by lia. replace (N + r - N)%nat with r by lia.
      unfold one_block. rewrite Nat.eqb_sym. destruct (b =? r)%nat; ring. }
    assert (Z : x (Readout j) == 0) by (unfold x; rewrite superposed by (trivial; cbn; lia); cbn; ring).
    unfold applied. cbn [neuron neurons select_separate W_in W_out b_in b_out]. rewrite Z.
    unfold block_neurons. rewrite sum_pairs. cbn [fst snd].
    rewrite (sum_range_ext R _ (fun b => (if (b =? r)%nat then 1 + u y j else 0)
      + (if (b =? r)%nat then 0 else (1 + u (pi b s) j) * (1 - gate)))).
    - rewrite sum_plus, (sum_range_one R r (fun b => if (b =? r)%nat then 1 + u y j else 0)), Nat.eqb_refl; trivial.
      + unfold leak. ring.
      + intros b _ D. now rewrite (proj2 (Nat.eqb_neq b r) D).
    - intros b Hb. rewrite (sum_range_one m j); trivial.
      + unfold times. cbn [fst snd]. rewrite read, same_refl, X by (trivial; cbn; lia).
        destruct (Nat.eqb_spec b r) as [->|D].
        * fold y. destruct (u_signs y j J) as [E|E]; rewrite E; rewrite relu_on by lra; ring.
        * destruct (u_signs (pi b s) j J) as [E|E]; rewrite E; [rewrite relu_on by lra|rewrite relu_off by lra]; ring.
      + intros i _ D. destruct (same_spec (Readout j) (Readout i)); [congruence|ring].
  Qed.

  (** ** The margin against c: its distance, less what leaks hurt where the answer's word is below the competitor's *)

  Variable c : nat.
  Definition below : Q := Σ j ∈ range m, ((1 - u y j) * (1 + u c j) * (1 # 4)).
  Definition threshold : Q := whole (distance m u y c) - 2 * (1 - gate) * (whole R - 1) * below.

  Let margin : logit model (query N s r) y - logit model (query N s r) c
    == 2 * whole (distance m u y c) + Σ j ∈ range m, (leak j * (u y j - u c j)).
  Proof.
    pose proof (signs_squared_distance m u y c u_signs) as D. fold (whole (distance m u y c)) in D.
    pose proof (nearest_neighbour m u bias (fun j => u y j) y c unbiased (fun j _ => Qeq_refl (u y j))) as E. rewrite D in E. cbv beta in E.
    unfold logit. cbn [length query]. change (2 - 1)%nat with 1%nat. fold (query N s r).
    change (W_U model) with (read_readout u). unfold read_readout.
    change (stream model) with S. rewrite !(sum_readout S (residual model (query N s r) 1) u). cbn [n_readout S].
    assert (F : forall a, Σ j ∈ range m, (residual model (query N s r) 1 (Readout j) * u a j)
      == Σ j ∈ range m, (u y j * u a j) + Σ j ∈ range m, (leak j * u a j)).
    { intro a. rewrite <- sum_plus. apply sum_range_ext. intros j J. rewrite leaks by trivial. ring. }
    rewrite !F. rewrite (sum_ext _ (fun j => leak j * (u y j - u c j)) (fun j => leak j * u y j + -(1) * (leak j * u c j))) by (intros; ring).
    rewrite sum_plus, sum_scale. change (b_U model) with bias.
    assert (H : 4 * whole (distance m u y c) / 2 == 2 * whole (distance m u y c)) by field. rewrite H in E.
    rewrite <- E. ring.
  Qed.

  Let others q : Σ b ∈ range R, (if (b =? r)%nat then 0 else q) == (whole R - 1) * q.
  Proof.
    assert (E : Σ b ∈ range R, ((if (b =? r)%nat then 0 else q) + (if (b =? r)%nat then q else 0)) == whole R * q).
    { transitivity (Σ _ ∈ range R, q); [apply sum_ext; intros b _; destruct (b =? r)%nat; ring|].
      clear. induction R as [|n IH]; [change (whole 0) with 0; cbn; ring|]. rewrite sum_range_S, IH, whole_S. ring. }
    rewrite sum_plus, (sum_range_one R r (fun b => if (b =? r)%nat then q else 0)), Nat.eqb_refl in E; [lra|trivial|].
    intros b _ D. now rewrite (proj2 (Nat.eqb_neq b r) D).
  Qed.

  (** Right in every table if the threshold is above 0, *)
  Theorem single_hop_below_gate : 2 * threshold <= logit model (query N s r) y - logit model (query N s r) c.
  Proof.
    rewrite margin. unfold threshold.
    enough (Σ j ∈ range m, (- (4) * (1 - gate) * (whole R - 1) * ((1 - u y j) * (1 + u c j) * (1 # 4)))
      <= Σ j ∈ range m, (leak j * (u y j - u c j))) as H by (rewrite sum_scale in H; fold below in H; lra).
    apply sum_le. intros j J. apply in_range in J.
    assert (0 <= leak j <= (whole R - 1) * (2 * (1 - gate))) as [Lo Hi].
    { unfold leak. split.
      - rewrite <- (sum_0 (range R) (fun _ => 0)) by reflexivity. apply sum_le. intros b _.
        destruct (b =? r)%nat; [lra|]. destruct (u_signs (pi b s) j J) as [->| ->]; nra.
      - rewrite <- others. apply sum_le. intros b _.
        destruct (b =? r)%nat; [lra|]. destruct (u_signs (pi b s) j J) as [->| ->]; nra. }
    destruct (u_signs y j J) as [E|E], (u_signs c j J) as [E'|E']; rewrite E, E'; nra.
  Qed.

  (** and lost where it is not and every other relation answers with the competitor. *)
  Theorem single_hop_below_gate_sharp : (forall b, (b < R)%nat -> b <> r -> pi b s = c) ->
    logit model (query N s r) y - logit model (query N s r) c == 2 * threshold.
  Proof.
    intro H. rewrite margin. unfold threshold.
    enough (Σ j ∈ range m, (leak j * (u y j - u c j))
      == Σ j ∈ range m, (- (4) * (1 - gate) * (whole R - 1) * ((1 - u y j) * (1 + u c j) * (1 # 4)))) as E
      by (rewrite E, sum_scale; fold below; ring).
    apply sum_range_ext. intros j J.
    assert (E : leak j == (whole R - 1) * ((1 + u c j) * (1 - gate))).
    { unfold leak. rewrite <- others. apply sum_range_ext. intros b Hb. destruct (Nat.eqb_spec b r) as [|D]; [reflexivity|].
      now rewrite H. }
    rewrite E. destruct (u_signs y j J) as [F|F], (u_signs c j J) as [F'|F']; rewrite F, F'; ring.
  Qed.
End BelowGate.
