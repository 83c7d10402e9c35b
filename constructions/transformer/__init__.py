"""The one transformer, its arithmetic, and the pieces that constructions are put together from."""
