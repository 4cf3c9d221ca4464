"""Judgements on finished runs: statistics, verdicts against papers, the gate, verification."""
