#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: tests/style/clang_tidy.sh [BUILD_DIR] [--help]

Runs clang-tidy with the checks of .clang-tidy over src/, drivers/ and, through one file that
includes them all, the headers of kernels/. BUILD_DIR (default build/host-release) must be
configured, with tests. Exit status: 0 nothing found, 1 something found, 2 not possible.
TEXT
}

cd "$(dirname "$0")/../.."
[ "${1:-}" != --help ] || { usage; exit 0; }
build=${1:-build/host-release}
tool=$(command -v clang-tidy-14 || command -v clang-tidy) || { echo "clang-tidy is not installed" >&2; exit 2; }
[ -f "$build/compile_commands.json" ] || { echo "$build is not configured (see --help)" >&2; exit 2; }

# Of the build's commands, because what it leaves out includes headers that may be missing.
sources() {
  echo "$build/tests/style/all_kernel_headers.cpp"
  grep -oE "\"file\": \"$(pwd -P)/(src|drivers)/[^\"]+\.cpp" "$build/compile_commands.json" | cut -d '"' -f 4 | sort -u
}
sources | tr '\n' '\0' | xargs -0 -n 1 -P "$(nproc)" "$tool" -p "$build" --quiet || exit 1
