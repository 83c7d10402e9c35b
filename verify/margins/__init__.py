"""Margins of every fact, decided without rounding: whole numbers, fractions, proved error bounds."""
