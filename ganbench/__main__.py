"""`python -m ganbench` is the command `ganbench`."""

from benchmark.cli import main

if __name__ == "__main__":
    main()
