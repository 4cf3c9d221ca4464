"""``python -m baselines``: write both files of the catalogue anew, after a change to a baseline file."""

from baselines import catalogue

if __name__ == "__main__":
    catalogue.write()
