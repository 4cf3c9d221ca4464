"""Writes the page."""

from benchmark.records import atomic
from benchmark.report.committed.page import PAGE, page

if __name__ == "__main__":
    atomic.write_bytes(PAGE, page().encode())
