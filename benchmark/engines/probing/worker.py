"""Computes probes: ``python -m benchmark.engines.probing.worker``.

Reads a request a line from stdin, `{"experiment": NAME, "plan": PLAN or null, "variant": null}` (or what
`baselines.vary` is given for a suite's variant), and writes a result a line to stdout: what `compute.compute`
returns and `cpu_s`, or `{"experiment": NAME, "error": REASON}`. The experiment `scores` is that of
`scores.compute`. The process is fresh and prepared like that of a run
(`numerics.child_environment`); whatever else is printed goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from typing import Any

import baselines
from benchmark.engines import parent


def main() -> int:
    """Answer requests until stdin or the parent ends."""
    if parent.is_gone(parent.follow()):
        return 1
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a third party's module prints is no result
    from benchmark.training import numerics

    numerics.apply()
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line)), allow_nan=False), file=out, flush=True)
    return 0


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """The result of one request."""
    from benchmark.engines.probing import compute, scores

    begin = time.process_time()
    name, plan = request["experiment"], request["plan"]
    try:
        if variant := request.get("variant"):
            baselines.vary(**variant)
        given = (name, plan, compute.NUMERICS)
        found = scores.compute() if name == scores.NAME else compute.compute(*given)
    except Exception as error:
        traceback.print_exc()
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return {"experiment": name, "error": reason[:300]}
    return {**found, "cpu_s": round(time.process_time() - begin, 2)}


if __name__ == "__main__":
    sys.exit(main())
