"""The numbers of the claims, evaluated without SymPy."""
