"""What every floor uses and no theory is in: files, names, random numbers, blocks, processes."""
