"""Every arm that this machine can be gives the digests of `golden.json`: `tox -e portable`.

Settings are read when libraries are loaded, so that each arm is a process of its own. Other versions and
builds of torch run `arms.py` themselves: `.github/workflows/ci.yml`. $PORTABLE_SAVED is a file to which what
is found is appended for `arms_table.py`.
"""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
X86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="a setting of x86 libraries")
ARMS = [
    pytest.param({}, id="as it is"),
    pytest.param(
        {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"}, id="two threads"
    ),
    pytest.param({"PORTABLE_ARM": "contiguous"}, id="contiguous"),
    pytest.param({"PORTABLE_ARM": "no-onednn"}, id="no oneDNN"),
    pytest.param({"ATEN_CPU_CAPABILITY": "default"}, id="no SIMD"),
    pytest.param({"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}, id="AVX2", marks=X86),
    pytest.param({"MKL_CBWR": "COMPATIBLE"}, id="MKL compatible", marks=X86),
]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("setting", ARMS)
def test_an_arm_gives_the_golden_digests(setting, request):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **setting}
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "portable" / "arms.py"), "--arm", request.node.callspec.id],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 11
    assert all(line.endswith(" equal") for line in lines)


def test_arms_need_no_more_than_they_say(tmp_path):
    """Where ganbench is not installed: torch and what it needs, NumPy, Pillow, safetensors and msgspec."""
    absent = [
        "platformdirs",
        "click",
        "rich",
        "pandas",
        "matplotlib",
        "torch_fidelity",
        "torchvision",
        "scipy",
    ]
    absent += ["pooch", "threadpoolctl", "packaging"]
    code = f"""
import runpy, sys
sys.modules.update(dict.fromkeys({absent!r}))
sys.argv = ["arms.py", "gan/digits"]
runpy.run_path({str(ROOT / "tests" / "portable" / "arms.py")!r}, run_name="__main__")
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].endswith(" equal")
