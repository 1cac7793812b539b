#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: tests/fuzz/run.sh [--seconds N] [--runs N] [--jobs N] [--help] [TARGET]...

Builds the fuzz targets with Clang (preset host-fuzz: libFuzzer, address and undefined-behaviour
sanitizers) and runs them one after the other, at the lowest priority, from the seeds in
tests/fuzz/corpus/TARGET. A target is a file tests/fuzz/fuzz_TARGET.cpp: configuration,
safetensors, ...; without any, all.

  --seconds N   the longest that one target runs; default 60
  --runs N      the most inputs of one target; default no limit
  --jobs N      compile so many files at a time; default as many as there are processors

What was found anew is kept in build/host-fuzz/inputs/TARGET and is the start of the next call;
an input that ends the target is written to build/host-fuzz/findings/TARGET. Exit status: 0
nothing found, 1 something found, 2 not possible.

$SWARD_PREFIX names a prefix that holds Kokkos, as in cmake/bootstrap.sh.
TEXT
}

seconds=60
runs=-1
jobs=$(nproc)
targets=()
cd "$(dirname "$0")/../.."
mapfile -t all < <(ls tests/fuzz/fuzz_*.cpp | sed 's|.*/fuzz_\(.*\)\.cpp|\1|')
while [ $# -gt 0 ]; do
  case $1 in
    --seconds) seconds=${2:?--seconds needs a number}; shift ;;
    --runs) runs=${2:?--runs needs a number}; shift ;;
    --jobs) jobs=${2:?--jobs needs a number}; shift ;;
    --help) usage; exit 0 ;;
    *)
      [[ " ${all[*]} " == *" $1 "* ]] || { echo "run.sh: no target '$1' (see --help)" >&2; exit 2; }
      targets+=("$1") ;;
  esac
  shift
done
[ ${#targets[@]} -gt 0 ] || targets=("${all[@]}")

build=build/host-fuzz
prefix=$(cmake/bootstrap.sh --fuzz | tail -n 1) || exit 2
cmake --preset host-fuzz -DCMAKE_PREFIX_PATH="$prefix" < /dev/null || exit 2
cmake --build "$build" -j "$jobs" --target "${targets[@]/#/fuzz_}" < /dev/null || exit 2

# Targets write their inputs to a file; in memory that is many times faster.
memory=/tmp
[ ! -d /dev/shm ] || memory=/dev/shm
TMPDIR=$(mktemp -d "$memory/sward-fuzz-XXXXXX")
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
# HDF5 leaks where it refuses a damaged file, and asks for as much memory as the file claims before it looks further.
export ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=0

found=0
for target in "${targets[@]}"; do
  inputs=$build/inputs/$target
  findings=$build/findings/$target
  mkdir -p "$inputs" "$findings"
  echo "== $target"
  most=1024
  [ "$target" != json_lines ] || most=2304 # zstd allocates the window that a frame claims, and writes only what there is
  nice -n 19 "$build/bin/fuzz_$target" -max_total_time="$seconds" -runs="$runs" -timeout=20 -rss_limit_mb=2048 \
    -malloc_limit_mb="$most" -detect_leaks=0 -print_final_stats=1 -artifact_prefix="$findings/" "$inputs" \
    "tests/fuzz/corpus/$target" > "$findings/log" 2>&1 || { found=1; tail -n 40 "$findings/log"; }
  grep -a -E '^(Done|stat::(number_of_executed_units|peak_rss_mb))' "$findings/log" || true
done
exit $found
