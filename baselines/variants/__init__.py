"""The experiments of each paper beyond its file's own: other data, other settings, ablations.

Networks and iterations are in the paper's file, unless only experiments of this package use them; what is
here are settings with their sources, mostly as revisions of an experiment there. `<baseline>.py` lists all of
a baseline; `<baseline>_<subject>.py` hold those that need more room.
"""
