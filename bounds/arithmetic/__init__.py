"""Numbers between two exact rationals, and how they are reached."""
