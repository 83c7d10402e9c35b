"""Anyone's weights or construction under the whole battery, and the shrunken table that breaks it."""
