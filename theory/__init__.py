"""What is claimed: facts, claims, lemmas."""
