"""`python -m verify.cli` is `georecall`."""

from verify.cli import main

main()
