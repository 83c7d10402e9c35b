"""How many entities random walks reach."""
