"""Probes: a few G-iterations on drawn images, which show whether an experiment's numbers are still the same.

`plan` says how much of an experiment is computed, `compute` does it with the product's own trainer, `scores`
computes the metrics, `worker` is the process in which that happens, `pool` has several of them.
"""
