#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: perf/quality/study.sh [--only REGEX] [--seconds N] [--bin DIR] [--python PROGRAM] [--help]

All of docs/quality.md: makes the data (build/quality, build/quality-250M), runs what is not in perf/quality/results yet, on
one GPU or on processors, and writes tables and figures into docs/. It goes on where it stopped, so it may be stopped at
any time. To run it anew, move perf/quality/results away first.

  --only REGEX       only runs whose table/name matches, such as '^60m-33M/'; default all
  --seconds N        begins no run after so many seconds of a table; default no limit
  --bin DIR          with sward-train, sward-plan and sward-convert; default build/cuda-release/bin
  --python PROGRAM   with matplotlib and, for the runs in PyTorch, what peer.py names; default python3
TEXT
}

source_dir=$(cd "$(dirname "$0")/../.." && pwd)
only=.
seconds=inf
bin=$source_dir/build/cuda-release/bin
python=python3
while [ $# -gt 0 ]; do
  case $1 in
    --only) only=${2:?--only needs a regular expression}; shift ;;
    --seconds) seconds=${2:?--seconds needs a number}; shift ;;
    --bin) bin=$(realpath -e "${2:?--bin needs a folder}"); shift ;;
    --python) python=${2:?--python needs a program}; shift ;;
    --help) usage; exit 0 ;;
    *) echo "study.sh: unknown option '$1' (see --help)" >&2; exit 2 ;;
  esac
  shift
done
[ -x "$bin/sward-train" ] || { echo "study.sh: $bin: no sward-train" >&2; exit 2; }
cd "$source_dir"

# What finetune.toml starts with: the run norm-384-0.007 of 130m-100M.toml.
pretrain() { # data
  local work=$source_dir/build/quality-runs/pretrained configuration=$source_dir/perf/quality/130m.toml
  [ ! -f "$1/pretrained.h5" ] || return 0
  mkdir -p "$work"
  (cd "$1" && "$bin/sward-train" "$configuration" --resume auto --set grass.rank=384 --set run.seed=2 \
    --set "output.directory='$work'" > "$work.log")
  mv "$work/checkpoint-00006100.h5" "$1/pretrained.h5"
}
study() { # data, share of the C files, results, tables...
  local run=("$python" perf/quality/run.py "${@:4}" --data "$1" --bin "$bin" --only "$only" --seconds "$seconds"
    --results "perf/quality/results/$3.jsonl")
  [ -n "$("${run[@]}" --list)" ] || return 0
  [ -f "$1/train.h5" ] || [ -f "$1/train.h5.xz" ] || perf/quality/make_data.sh --folder "$1" --code-share "$2"
  [ "$3" != finetune ] || pretrain "$1"
  "${run[@]}"
}
tables=perf/quality
mkdir -p $tables/results
study build/quality 0.25 60m $tables/60m-{33M,33M-galore,500-updates,100M,100M-galore}.toml
study build/quality 0.25 130m $tables/130m-{100M,100M-galore}.toml
study build/quality 0.25 350m $tables/350m-{33M,33M-galore}.toml
study build/quality 0.25 finetune $tables/finetune.toml
study build/quality-250M 0.65 60m $tables/60m-{250M,250M-galore}.toml
study build/quality-250M 0.65 130m $tables/130m-250M.toml
"$python" perf/quality/report.py --update
