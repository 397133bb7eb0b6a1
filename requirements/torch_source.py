#!/usr/bin/env python3
"""Print the options with which pip gets torch from where it is smallest, and on stderr one line of what comes.

    pip install $(python requirements/torch_source.py) torch==VERSION

PyTorch's own index has builds for CPUs alone. PyPI's build for Linux on x86-64 needs CUDA packages of several
gigabytes, but PyPI can be reached, or is mirrored, where PyTorch's index is not. What else torch needs comes with
the next `pip install`, from pip's own sources. Nothing is printed where torch is installed already.
"""

import importlib.util
import os
import sys
import urllib.request

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
TIMEOUT_S = 5.0
FROM_INDEX = "0.2 GB to download, and a virtual environment of 1.4 GB with all that `make run` needs"
FROM_PYPI = "on Linux PyPI's build brings CUDA along: 2.7 GB to download, over 5 GB in all"


def answers(index: str, timeout_s: float) -> bool:
    """Whether an index has torch, and says so within ``timeout_s`` seconds of silence."""
    if not index.startswith(("http://", "https://")):
        return False
    try:
        with urllib.request.urlopen(f"{index.rstrip('/')}/torch/", timeout=timeout_s):  # noqa: S310 - checked above
            return True
    except (OSError, ValueError):
        return False


def main() -> int:
    """Run as a program."""
    if importlib.util.find_spec("torch") is not None:
        return 0
    index = os.environ.get("TORCH_INDEX_URL") or CPU_INDEX
    if answers(index, float(os.environ.get("TORCH_INDEX_TIMEOUT") or TIMEOUT_S)):
        sys.stdout.write(f"--no-deps --index-url {index}\n")
        sys.stderr.write(f"torch comes from {index}: {FROM_INDEX}.\n")
    else:
        sys.stderr.write(f"torch comes from where pip finds it, as {index} does not answer: {FROM_PYPI}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
