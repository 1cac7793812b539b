#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: perf/compare_finetuning.sh [--python PYTHON] [--help]

Fine-tunes the model of drivers/quickstart.sh, which must have run, on prompts and responses made from WordNet (Debian's
package wordnet-base), in full with AdamW and with Grass, and prints the masked validation loss of the untrained and the
trained models. Everything is written under $SWARD_DATA, by default build/quickstart.

  --python PYTHON   a Python with matplotlib: draws finetuning-loss.svg too (see perf/plot_loss.py)
TEXT
}

python=""
while [ $# -gt 0 ]; do
  case $1 in
    --python) python=${2:?--python needs a program}; shift 2 ;;
    --help) usage; exit 0 ;;
    *) echo "compare_finetuning.sh: unknown option '$1' (see --help)" >&2; exit 2 ;;
  esac
done

source_dir=$(cd "$(dirname "$0")/.." && pwd)
data=${SWARD_DATA:-$source_dir/build/quickstart}
initial=run-default/checkpoint-00000800.h5
[ -f "$data/$initial" ] || { echo "compare_finetuning.sh: $data/$initial: run drivers/quickstart.sh first" >&2; exit 2; }
PATH=$source_dir/build/host-release/bin:$PATH
cd "$data"
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$(nproc)} OMP_PROC_BIND=false

if [ ! -f pairs.jsonl ]; then
  mkdir -p package
  (
    cd package
    apt-get download -qq wordnet-base 2> /dev/null || { apt-get update -qq && apt-get download -qq wordnet-base; }
    dpkg -x wordnet-base_*.deb .
  )
  "$source_dir/drivers/examples/wordnet_pairs.py" package/usr/share/wordnet/data.noun > pairs.jsonl.part
  cp package/usr/share/doc/wordnet-base/copyright wordnet-copyright.txt
  mv pairs.jsonl.part pairs.jsonl
  rm -r package
fi
sward-tokenize pairs.jsonl --tokenizer bytes --output pairs-train.h5 --evaluation pairs-validation.h5 \
  --evaluation-fraction 0.005 --force

sward-evaluate --checkpoint "$initial" --data pairs-validation.h5 --sequence-length 128 --document-attention
# Each at a learning rate of its own kind: Grass multiplies the step of projected matrices by grass.scale = 0.25.
rm -rf finetuned-grass finetuned-adamw
sward-train "$source_dir/drivers/examples/finetune.toml" --set output.directory=finetuned-grass | grep validation
sward-train "$source_dir/drivers/examples/finetune.toml" --set output.directory=finetuned-adamw \
  --set optimizer.method=adamw --set optimizer.learning_rate=0.001 | grep validation
sward-evaluate --checkpoint finetuned-grass/checkpoint-00000400.h5 --data pairs-validation.h5 --sequence-length 128 \
  --document-attention --sample --prompt $'What is granite?\n' --temperature 0 --sample-tokens 60
if [ -n "$python" ]; then
  "$python" "$source_dir/perf/plot_loss.py" finetuned-grass/metrics.jsonl finetuned-adamw/metrics.jsonl \
    --labels "Grass r=64" "AdamW in full" --axis step --output finetuning-loss.svg
fi
