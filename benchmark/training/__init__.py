"""Running G-iterations. The sources here are part of a run's identity."""
