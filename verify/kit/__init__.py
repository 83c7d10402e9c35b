"""Anyone's construction under the whole battery, and the shrunken table that breaks it."""
