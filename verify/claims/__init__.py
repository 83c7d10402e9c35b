"""Claims under test: how each is built, asked and measured, and the controls that must fail."""
