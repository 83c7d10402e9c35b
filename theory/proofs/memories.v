(** C8, sign-code memory: one neuron per fact, the facts in the MLP. *)

From Georecall Require Import transformer single_hop hops.

Section SignCodeMemory.
  Variables (N R q m : nat) (pi : nat -> nat -> nat) (c v : nat -> nat -> Q) (bias : nat -> Q).
  Hypothesis c_signs : signs q c.
  Hypothesis names_differ : forall a b, (a < N)%nat -> (b < N)%nat -> a <> b -> (1 <= distance q c a b)%nat.
  Hypothesis unbiased : nearest m v bias.

  (** A block for the name, a readout, a gate for every relation. *)
  Definition stream_of_names : space := Space 1 q m 0 R 0 0.
  Let S := stream_of_names.

  Definition named (token : nat) : vector := fun d =>
    match d with
    | Block _ j => if (token <? N)%nat then c token j else 0
    | Relation r => if (token <? N)%nat then 0 else if (token - N =? r)%nat then 1 # 2 else 0
    | _ => 0
    end.

  (** Neuron (r, s), ReLU(<c(s), name> + gate_r - q), writes the word of the answer. *)
  Definition neuron_per_fact : MLP :=
    mkMLP _ (list_prod (range R) (range N))
      (fun d n => (match d with Block _ j => c (snd n) j | _ => 0 end) + (if same d (Relation (fst n)) then 1 else 0))
      (fun _ => - whole q)
      (fun n d => match d with Readout j => v (pi (fst n) (snd n)) j | _ => 0 end)
      (fun _ => 0).

  Definition name_memory : Transformer :=
    mkTransformer S named (fun _ _ => 0) [mkLayer [uniform S] (Some neuron_per_fact)] (read_readout v) bias.

  (** Of all neurons that of the fact asked for alone is positive, and it is 1. *)
  Lemma one_neuron_fires x s r j : (s < N)%nat -> (r < R)%nat ->
    (forall i, (i < q)%nat -> x (Block 0 i) == c s i) ->
    (forall i, (i < R)%nat -> x (Relation i) == if (r =? i)%nat then 1 else 0) ->
    applied S neuron_per_fact x (Readout j) == x (Readout j) + v (pi r s) j.
  Proof.
    intros Hs Hr Name Gate. unfold applied. cbn [neuron neurons neuron_per_fact W_in W_out b_in b_out].
    rewrite sum_pairs. cbn [fst snd]. apply Qplus_comp; [reflexivity|].
    assert (T : forall i a, (i < R)%nat -> times S x (W_in neuron_per_fact) (i, a)
      == whole q - 2 * whole (distance q c s a) + if (r =? i)%nat then 1 else 0).
    { intros i a Hi. unfold times. cbn [neuron_per_fact W_in fst snd].
      rewrite (sum_ext _ _ (fun d => x d * (match d with Block _ j => c a j | _ => 0 end)
        + x d * (if same d (Relation i) then 1 else 0))) by (intros; ring).
      rewrite sum_plus, read, (Gate i Hi) by exact Hi.
      rewrite (sum_blocks S x c a : Σ d ∈ directions S, _ == _). cbn [word_length n_blocks S stream_of_names range seq].
      pose proof (product S c c_signs s a) as P. change (word_length S) with q in P. rewrite <- P.
      rewrite (sum_range_ext q (fun j => (Σ _ ∈ _, _) * c a j) (fun j => c s j * c a j)); [ring|]. intros i' I. rewrite sum_cons. cbn [sum].
      rewrite Name by trivial. ring. }
    cbn [neuron_per_fact W_in] in T. rewrite (sum_range_one R r), (sum_range_one N s); trivial.
    - rewrite T, distance_self, Nat.eqb_refl by trivial. change (whole 0) with 0. rewrite relu_on by lra. ring.
    - intros a Ha D. rewrite T, Nat.eqb_refl by trivial. specialize (names_differ s a Hs Ha (not_eq_sym D)).
      assert (1 <= whole (distance q c s a)) by (unfold whole; change 1 with (inject_Z 1); rewrite <- Zle_Qle; lia).
      rewrite relu_off by lra. ring.
    - intros i Hi D. apply sum_range_0. intros a Ha. rewrite T, (proj2 (Nat.eqb_neq r i)) by congruence.
      assert (0 <= whole (distance q c s a)) by (unfold whole; change 0 with (inject_Z 0); rewrite <- Zle_Qle; lia).
      rewrite relu_off by lra. ring.
  Qed.

  Theorem sign_code_memory s r b : (s < N)%nat -> (r < R)%nat ->
    logit name_memory (query N s r) (pi r s) - logit name_memory (query N s r) b == squared_distance m v (pi r s) b / 2.
  Proof.
    intros Hs Hr. unfold logit. cbn [length query]. change (2 - 1)%nat with 1%nat.
    cbn [stream name_memory W_U b_U]. unfold read_readout. fold S. rewrite !(sum_readout S _ v).
    cbn [n_readout S stream_of_names]. apply nearest_neighbour; trivial. intros j J.
    unfold residual. cbn [layers name_memory fold_left run mlp heads stream]. fold S.
    assert (Hq : (N + r <? N)%nat = false) by (apply Nat.ltb_ge; lia). pose proof Hs as Hs'. apply Nat.ltb_lt in Hs'.
    rewrite (one_neuron_fires _ s r); trivial; try (intros i I);
      rewrite attended_uniform by (cbn; lia); unfold embedded; cbn [query nth name_memory W_E W_pos named]; rewrite ?Hs', ?Hq.
    - ring.
    - ring.
    - replace (N + r - N)%nat with r by lia. destruct (r =? i)%nat; ring.
  Qed.
End SignCodeMemory.
