#!/usr/bin/env bash
# Build the images of the Dockerfile with buildah, as root, where neither a container engine nor a registry has to be.
#
#   .pipeline/build_images.sh [TARGET…]      default: server dispatcher mocks analytics
#
# PYTHON_IMAGE     base image; unset, one is made of Debian's packages with debootstrap
# TORCH_INDEX_URL  where torch comes from; default: the Dockerfile's
# PIP_FIND_LINKS   a folder of wheels to take torch from instead, for a machine that does not reach its index
# STORE            where images and scratch files go; default: build/images
#
# Needs Debian's packages buildah and, without PYTHON_IMAGE, debootstrap. Afterwards the images are in
# `buildah --root $STORE/storage images`, and `… push localhost/revertrisk-server docker-archive:server.tar` gets one out.
set -euo pipefail
cd "$(dirname "$0")/.."

store=${STORE:-build/images}
mkdir -p "$store"
store=$(realpath "$store")
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
image() { buildah --root "$store/storage" --runroot "$store/run" --storage-driver vfs "$@"; }

for tool in buildah ${PYTHON_IMAGE:-debootstrap}; do
    [[ $tool == "${PYTHON_IMAGE:-}" ]] || command -v "$tool" >/dev/null || {
        echo "build_images: no $tool; apt-get install $tool brings it" >&2
        exit 2
    }
done

if [[ -z ${PYTHON_IMAGE:-} ]]; then
    PYTHON_IMAGE=localhost/python:3.11-debian
    if ! image inspect --type image "$PYTHON_IMAGE" >/dev/null 2>&1; then
        root=$store/debian
        rm -rf "$root"
        debootstrap --variant=minbase --include=ca-certificates bookworm "$root" >"$store/debootstrap.log"
        # debootstrap does not follow every dependency; apt does.
        cp /etc/resolv.conf "$root/etc/resolv.conf"
        DEBIAN_FRONTEND=noninteractive chroot "$root" sh -c \
            'apt-get -qq update && apt-get -qq install --yes --no-install-recommends python3 python3-venv && apt-get clean' \
            >>"$store/debootstrap.log"
        container=$(image from scratch)
        tar --create --directory "$root" --exclude './var/lib/apt/lists/*' --file "$store/debian.tar" .
        image add --quiet "$container" "$store/debian.tar" / >/dev/null
        image commit --quiet "$container" "$PYTHON_IMAGE" >/dev/null
        image rm "$container" >/dev/null
        rm -rf "$root" "$store/debian.tar"
    fi
fi

# The build sees the certificates and the wheels of this machine, and keeps neither.
arguments=(--isolation chroot --layers=false --volume /etc/ssl/certs:/etc/ssl/certs:ro)
if [[ -n ${PIP_FIND_LINKS:-} ]]; then
    printf '[global]\nfind-links = %s\ncert = /etc/ssl/certs/ca-certificates.crt\n' "$PIP_FIND_LINKS" >"$store/pip.conf"
    arguments+=(--volume "$PIP_FIND_LINKS:$PIP_FIND_LINKS:ro" --volume "$store/pip.conf:/etc/pip.conf:ro")
    arguments+=(--build-arg TORCH_INDEX_URL=https://pypi.org/simple)
elif [[ -n ${TORCH_INDEX_URL:-} ]]; then
    arguments+=(--build-arg "TORCH_INDEX_URL=$TORCH_INDEX_URL")
fi

targets=("$@")
((${#targets[@]})) || targets=(server dispatcher mocks analytics)
for target in "${targets[@]}"; do
    image bud --quiet "${arguments[@]}" --build-arg "PYTHON_IMAGE=$PYTHON_IMAGE" --build-arg "VERSION=$version" \
        --build-arg "REVISION=$revision" --target "$target" --tag "localhost/revertrisk-$target:$version" .
done
image images
