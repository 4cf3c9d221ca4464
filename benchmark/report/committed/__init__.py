"""`results/RESULTS.md` from what is committed beside it: `python -m benchmark.report.committed`.

References (`results/reference/*.json`) are whole records, so that every number of the page can be computed
again from the repository; a test does. What was not run is listed with the command that would run it.

`page` has the order of the page, `suite_section` a suite's section; the other files a table or section each.
"""
