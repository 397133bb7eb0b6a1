#!/usr/bin/env bash
# Put promtool into a folder, from Debian's prometheus package, without installing the package or its service.
#
#   charts/tools/get_promtool.sh FOLDER
set -euo pipefail
folder=$(realpath "${1:?usage: get_promtool.sh FOLDER}")

if binary=$(command -v promtool); then
    ln -sf "$binary" "$folder/promtool"
    exit 0
fi
command -v apt-get >/dev/null || {
    echo "get_promtool: no apt-get here; install Prometheus and put promtool on the path" >&2
    exit 1
}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
# apt's sandbox user cannot write to this folder. On a new machine the package lists may be missing.
download() { apt-get -qq -o APT::Sandbox::User=root download prometheus; }
download 2>/dev/null || { apt-get -qq update && download; } || {
    echo "get_promtool: as root: apt-get install -y prometheus" >&2
    exit 1
}
dpkg-deb --extract prometheus_*.deb .
install -m 755 usr/bin/promtool "$folder/promtool"
