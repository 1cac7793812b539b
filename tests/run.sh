#!/usr/bin/env bash
set -uo pipefail

usage() {
  cat <<'TEXT'
Usage: tests/run.sh [--preset NAME] [--target NAME] [--tidy] [--help] [CTEST ARGUMENT]...

Sets up what is missing (cmake/bootstrap.sh), configures, builds, and runs every test. The last
line printed is "N passed, N failed"; the exit status is 0 if nothing failed.

  --preset NAME   a preset of CMakePresets.json; default host-release
  --target NAME   build this target alone: "--target test_kernels -L kernels" is what those tests need
  --tidy          clang-tidy too, which takes minutes; counted as one test
  CTEST ARGUMENT  handed on: -L kernels (the tests with this label), -R NAME (by name), ...
                  Labels: kernels interface library distributed drivers fuzz slurm install style

$SWARD_PREFIX names a prefix that holds Kokkos, as in cmake/bootstrap.sh.
TEXT
}

preset=host-release
target=all
tidy=no
while [ $# -gt 0 ]; do
  case $1 in
    --preset) preset=${2:?--preset needs a name}; shift 2 ;;
    --target) target=${2:?--target needs a name}; shift 2 ;;
    --tidy) tidy=yes; shift ;;
    --help) usage; exit 0 ;;
    *) break ;;
  esac
done
cd "$(dirname "$0")/.."

give_up() {
  echo "tests/run.sh: $1 failed" >&2
  echo "0 passed, 1 failed"
  exit 1
}

bootstrap_options=(--nvcc --style --slurm)
[[ $preset != cuda-* ]] || bootstrap_options+=(--cuda)
prefix=$(cmake/bootstrap.sh "${bootstrap_options[@]}" | tail -n 1) || give_up "cmake/bootstrap.sh"
build=build/$preset
cmake --preset "$preset" -DCMAKE_PREFIX_PATH="$prefix" < /dev/null || give_up "configuring"
cmake --build "$build" --target "$target" < /dev/null || give_up "building"

# More ranks than cores, and more threads than cores, must wait without spinning.
cores=$(nproc)
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_mpi_yield_when_idle=1 PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((cores < 4 ? cores : 4))} OMP_PROC_BIND=false OMP_WAIT_POLICY=passive
# What Open MPI and HDF5 leave behind at exit is not ours to report.
export ASAN_OPTIONS=detect_leaks=0:${ASAN_OPTIONS:-}

results=$PWD/$build/test-results.xml
rm -f "$results"
ctest --test-dir "$build" -j "$cores" --output-on-failure --no-tests=error --output-junit "$results" "$@" < /dev/null
ctest_status=$?
[ -s "$results" ] || give_up "ctest"

# The first element holds the totals: <testsuite name=".." tests="12" failures="0" disabled="0" skipped="0" ...>
total_of() { tr '\n\t' '  ' < "$results" | sed -n "s/^.*<testsuite [^>]* $1=\"\([0-9]*\)\".*$/\1/p"; }
failed=$(total_of failures)
passed=$(($(total_of tests) - failed - $(total_of skipped) - $(total_of disabled)))
if [ $ctest_status -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1; fi

if [ $tidy = yes ]; then
  if tests/style/clang_tidy.sh "$build" < /dev/null; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
