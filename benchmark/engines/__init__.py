"""Where runs are executed. Every engine hands a run directory to `benchmark.worker`, in its own process."""
