#!/usr/bin/env bash
# Builds the image with buildah from static binaries: image.sh [NAME]. As root, or as a user that
# buildah knows without root.
set -euo pipefail
cd "$(dirname "$0")/.."
. fixtures/steps/common.sh

name=${1:-localhost/replay-tools:latest}
target=x86_64-unknown-linux-gnu
tools=(seeder recorder replayer reporter reference-target)
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT

command -v buildah >/dev/null || fail 4 "buildah is missing; Debian has it"
RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --workspace --bins --target "$target"
mkdir "$context/bin" "$context/data"
for tool in "${tools[@]}"; do
  strip -o "$context/bin/$tool" "${CARGO_TARGET_DIR:-target}/$target/release/$tool"
done
cp /etc/ssl/certs/ca-certificates.crt "$context"
# Without an isolation of its own: nothing is run.
buildah bud --isolation chroot --tag "$name" --file deploy/Containerfile "$context"
