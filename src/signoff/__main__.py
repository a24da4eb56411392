"""`python -m signoff` is the command `signoff`."""

from signoff.cli.main import run

if __name__ == "__main__":
    run()
