"""Hypothesis strategies for facts, the pieces of constructions, broken models, and claims.

They follow Hypothesis's own style: arguments are keyword-only and validated at once, and sizes and seeds may
be given as numbers or as strategies. They draw sizes and seeds, never arrays, and shrink to small tables.
"""

from georecall.verify.strategies.claims import ClaimCase, claim_cases
from georecall.verify.strategies.faults import FAULTS, Faulty, faulty_transformers
from georecall.verify.strategies.pieces import codes, gates, hop_strings
from georecall.verify.strategies.tables import KINDS, fact_tables, table_of

__all__ = [
    "FAULTS",
    "KINDS",
    "ClaimCase",
    "Faulty",
    "claim_cases",
    "codes",
    "fact_tables",
    "faulty_transformers",
    "gates",
    "hop_strings",
    "table_of",
]
