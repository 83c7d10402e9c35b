"""Facts by the billion: counted in exact integers, block by block."""
