"""`python -m datasurface` is the command `datasurface`."""

from datasurface.cli import main

if __name__ == "__main__":
    main()
