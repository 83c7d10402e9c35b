"""The training of C9: its settings, its loop, its state in a file."""
