"""``python -m baselines``: write `catalogue.json` anew, after a change to a baseline file."""

from baselines import catalogue

if __name__ == "__main__":
    catalogue.write()
