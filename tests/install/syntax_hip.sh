#!/usr/bin/env bash
# Compiles the kernels for HIP, to syntax only. Exits with 77, skipped, where there is nothing to do it with.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: tests/install/syntax_hip.sh [--prefix DIR] [--architecture NAME] [--objects] [--help]

Checks that Clang compiles every header of kernels/ but those of kernels/cuda, and every kernel
that tests/kernels/Test_Launches.cpp calls, for Kokkos::HIP. Nothing is installed or run.

  --prefix DIR         with Kokkos and Kokkos Kernels for HIP; default $SWARD_HIP_PREFIX, or the
                       newest that 'cmake/bootstrap.sh --hip' has built. The compiler is the one
                       that Kokkos was built with
  --architecture NAME  of the GPU; default gfx90a
  --objects            not to syntax only: on to the code of the GPU, which takes minutes
TEXT
}

prefix=${SWARD_HIP_PREFIX:-}
architecture=gfx90a
until=(-fsyntax-only -nogpulib)
while [ $# -gt 0 ]; do
  case $1 in
    --prefix) prefix=${2:?--prefix needs a folder}; shift ;;
    --architecture) architecture=${2:?--architecture needs a name}; shift ;;
    --objects)
      until=(-O2 -Wno-pass-failed -c --offload-device-only -o /dev/null
        --rocm-device-lib-path="/usr/lib/$(uname -m)-linux-gnu/amdgcn/bitcode")
      ;;
    --help) usage; exit 0 ;;
    *) echo "syntax_hip.sh: unknown option '$1' (see --help)" >&2; exit 2 ;;
  esac
  shift
done
cd "$(dirname "$0")/../.."

skip() { echo "syntax_hip.sh: skipped: $*"; exit 77; }

if [ -z "$prefix" ]; then
  complete=$(ls -t "${XDG_CACHE_HOME:-$HOME/.cache}"/sward/hip-*/.complete 2> /dev/null | head -n 1) || true
  [ -n "$complete" ] || skip "no Kokkos for HIP, which 'cmake/bootstrap.sh --hip' builds"
  prefix=${complete%/.complete}
fi
configuration=$(ls "$prefix"/lib*/cmake/Kokkos/KokkosConfigCommon.cmake 2> /dev/null | head -n 1) || true
[ -n "$configuration" ] || skip "no Kokkos in $prefix"
compiler=$(sed -n 's/^set(Kokkos_CXX_COMPILER "\(.*\)")/\1/p' "$configuration")
[ -x "$compiler" ] || skip "no compiler '$compiler', which Kokkos was built with"

includes=()
for folder in kernels/*/ tests/support; do includes+=(-I "$folder"); done
# A file, since the compiler reads it twice: for the host and for the GPU.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed 's/@[A-Z_]*@/0/' src/c/sward_version.h.in > "$work/sward_version.h"
{
  find kernels -name '*.hpp' -not -path 'kernels/cuda/*' | sort | sed 's|.*/\(.*\)|#include "\1"|'
  echo '#include "tests/kernels/Test_Launches.cpp"'
} > "$work/kernels.cpp"
"$compiler" -x hip --offload-arch="$architecture" --rocm-path="${ROCM_PATH:-/usr}" -std=c++20 -Wall -Wextra -Werror \
  -I . -I "$work" "${includes[@]}" -isystem "$prefix/include" "${until[@]}" "$work/kernels.cpp"
