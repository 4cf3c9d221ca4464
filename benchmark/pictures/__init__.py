"""Figures, sheets of samples and what their axes are called."""
