"""Memory that a large page has freed serves the next one."""

import platform
import subprocess
import sys

import pytest

FAULTS_OF_THE_SECOND_PAGE = """
import resource
from model_server.kserve_shell.serving import tune_malloc

def page():
    blocks = [bytearray(b"x") * 4_000_000 for _ in range(4)]
    return len(blocks)

if {keeps}:
    tune_malloc()
page()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
page()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
BLOCKS_IN_PAGES = 4 * 4_000_000 // 4096


def faults(*, keeps: bool) -> int:
    """Return how often the second page had to wait for the kernel, in a process of its own."""
    program = FAULTS_OF_THE_SECOND_PAGE.format(keeps=keeps)
    return int(subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's malloc has this setting")
def test_a_second_large_page_costs_the_kernel_nothing() -> None:
    """By default each of its blocks is mapped and cleared anew."""
    assert faults(keeps=False) > BLOCKS_IN_PAGES / 2
    assert faults(keeps=True) < BLOCKS_IN_PAGES / 20
