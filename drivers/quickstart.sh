#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: drivers/quickstart.sh [--steps N] [--ranks N] [--help]

From nothing to a trained model: sets up what is missing (cmake/bootstrap.sh), builds the
programs, turns a dictionary (Debian's package dict-gcide, 28 MB of text) into token files, trains
the small LLaMA of drivers/examples/quickstart.toml with Grass on two ranks, and lets it write.
A second call reuses what exists, the trained model too.

  --steps N   updates to train; default as in quickstart.toml
  --ranks N   MPI ranks; default 2 (16 sequences an update are split over them, 8 in a pass)

Everything is written under $SWARD_DATA, by default build/quickstart.
TEXT
}

steps=""
ranks=2
while [ $# -gt 0 ]; do
  case $1 in
    --steps) steps=${2:?--steps needs a number}; shift 2 ;;
    --ranks) ranks=${2:?--ranks needs a number}; shift 2 ;;
    --help) usage; exit 0 ;;
    *) echo "quickstart.sh: unknown option '$1' (see --help)" >&2; exit 2 ;;
  esac
done

source_dir=$(cd "$(dirname "$0")/.." && pwd)
data=${SWARD_DATA:-$source_dir/build/quickstart}
mkdir -p "$data"
data=$(cd "$data" && pwd)
build=$source_dir/build/host-release
config=$source_dir/drivers/examples/quickstart.toml
say() { echo "== $*"; }

say "programs"
prefix=$("$source_dir/cmake/bootstrap.sh" | tail -n 1)
(
  cd "$source_dir"
  cmake --preset host-release -DCMAKE_PREFIX_PATH="$prefix"
  cmake --build "$build" --target sward-tokenize sward-train sward-evaluate
) > "$data/build.log" 2>&1 || { tail -n 40 "$data/build.log" >&2; exit 1; }
PATH=$build/bin:$PATH
cd "$data"

# Kokkos names threads by this; more ranks than cores are allowed, and must not spin.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$(($(nproc) > ranks ? $(nproc) / ranks : 1))} OMP_PROC_BIND=false
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

if [ ! -f gcide.txt ]; then
  say "text: Debian package dict-gcide"
  mkdir -p package
  (
    cd package
    # A machine whose package lists were never fetched knows no package.
    apt-get download -qq dict-gcide 2> /dev/null || { apt-get update -qq && apt-get download -qq dict-gcide; }
    dpkg -x dict-gcide_*.deb .
  )
  "$source_dir/drivers/examples/gcide_text.py" package/usr/share/dictd/gcide.dict.dz > gcide.txt.part
  cp package/usr/share/doc/dict-gcide/copyright gcide-copyright.txt
  mv gcide.txt.part gcide.txt
  rm -r package
fi

if [ ! -f train.h5 ] || [ ! -f validation.h5 ]; then
  say "tokens: one document an entry, one in 500 kept for validation"
  sward-tokenize gcide.txt --tokenizer bytes --split-documents blank-lines \
    --output train.h5 --evaluation validation.h5 --evaluation-fraction 0.002 --force
fi

run=run-${steps:-default}
settings=(--set "output.directory='$run'")
[ -z "$steps" ] || settings+=(--set "schedule.steps=$steps")
say "training on $ranks ranks ($data/$run.log)"
mpirun --oversubscribe --bind-to none -n "$ranks" sward-train "$config" "${settings[@]}" --resume auto |
  tee -a "$run.log" | awk '!/^step/ || /validation/ || ++steps % 20 == 1 { print; fflush() }'

say "evaluation and a sample"
newest=$(find "$run" -name '*.h5' | sort | tail -n 1)
OMP_NUM_THREADS=$(nproc) sward-evaluate --checkpoint "$newest" --data validation.h5 --sequence-length 128 \
  --sequences 16 --sample --sample-tokens 400 --temperature 0.7
say "metrics in $data/$run/metrics.jsonl; perf/plot_loss.py draws them"
