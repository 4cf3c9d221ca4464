"""Where runs are executed. Every engine hands a run directory to a process of `benchmark.engines.worker`."""
