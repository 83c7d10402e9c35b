"""`python -m georecall` is the command `georecall`."""

from georecall.verify.cli import main

if __name__ == "__main__":
    main()
