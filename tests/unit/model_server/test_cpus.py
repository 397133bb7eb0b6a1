"""How many CPUs the control groups grant, read from files as the kernel writes them."""

import os
from pathlib import Path

import pytest

from model_server.cpus import available_cpus

ALL = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("own", "files", "granted"),
    [
        ("0::/\n", {"cpu.max": "max 100000\n"}, ALL),
        ("0::/\n", {"cpu.max": "100000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "20000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "6400000 100000\n"}, ALL),
        ("0::/kubepods/pod1/c1\n", {"kubepods/pod1/cpu.max": "100000 100000\n"}, 1),
        ("0::/of/the/host\n", {"cpu.max": "100000 100000\n"}, 1),
        ("4:cpu,cpuacct:/\n", {"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ("4:cpu,cpuacct:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, ALL),
        ("4:memory:/\n", {}, ALL),
        ("0::/\n", {}, ALL),
        ("0::/\n", {"cpu.max": "nonsense\n"}, ALL),
    ],
    ids=[
        "no-quota", "one", "one-and-a-half", "a-fifth", "more-than-there-are", "of-a-parent", "path-of-the-host",
        "version-1", "version-1-without", "no-cpu-controller", "no-file", "unreadable",
    ],
)  # fmt: skip
def test_the_least_of_affinity_and_quotas_counts(
    tmp_path: Path, own: str, files: dict[str, str], granted: int
) -> None:
    """Rounded down, and at least one; what cannot be read limits nothing."""
    for name, content in files.items():
        (tmp_path / "cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cgroup" / name).write_text(content)
    (tmp_path / "own").write_text(own)
    assert available_cpus(tmp_path / "cgroup", tmp_path / "own") == granted


def test_without_proc_the_affinity_counts(tmp_path: Path) -> None:
    """As on a kernel without control groups."""
    assert available_cpus(tmp_path, tmp_path / "not there") == ALL
