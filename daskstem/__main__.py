"""``python -m daskstem``."""

from daskstem.cli.main import entry

if __name__ == "__main__":
    entry()
