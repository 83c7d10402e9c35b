"""Does it hold? Margins, verdicts, controls, command line."""
