"""Engines that nobody here wrote, asked the same, and number formats that keep a model exact."""
