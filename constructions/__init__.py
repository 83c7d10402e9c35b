"""From facts to weights: one function per construction."""
