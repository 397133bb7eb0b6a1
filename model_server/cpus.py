"""How many CPUs this process may use: its affinity, and the quota of its control groups."""

import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")


def available_cpus(cgroups: Path = CGROUPS, own: Path = OWN_CGROUP) -> int:
    """Return the number of CPUs that the scheduler and the control groups grant, rounded down, at least 1.

    A container sees all CPUs of its node and may use a few: what runs more threads than that is throttled.
    """
    granted = [float(len(os.sched_getaffinity(0))), *_quotas(cgroups, own)]
    return max(1, int(min(granted)))


def _quotas(cgroups: Path, own: Path) -> list[float]:
    """Return the CPU quotas of the group of this process and of the groups above it, in CPUs."""
    try:
        memberships = [line.split(":", 2) for line in own.read_text().splitlines()]
    except OSError:
        return []
    quotas = []
    for _, controllers, path in memberships:
        if not controllers:
            read, top = _quota_v2, cgroups
        elif "cpu" in controllers.split(","):
            read, top = _quota_v1, cgroups / "cpu"
        else:
            continue
        # Inside a container the path may be the host's, of which only the top is to be seen.
        group = top / path.strip("/")
        quotas += [quota for folder in (group, *group.parents) if (quota := read(folder)) is not None]
    return quotas


def _quota_v2(group: Path) -> float | None:
    try:
        quota, period = (group / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else int(quota) / int(period)


def _quota_v1(group: Path) -> float | None:
    try:
        quota, period = (int((group / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
    except (OSError, ValueError):
        return None
    return None if quota < 0 else quota / period
