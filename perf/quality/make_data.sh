#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: perf/quality/make_data.sh [--folder DIR] [--code-share SHARE] [--pack] [--help]

Makes train.h5 and validation.h5 of real text for perf/quality/run.py: a dictionary (Debian's package dict-gcide),
documentation (linux-doc-6.1) and C (linux-source-6.1), in 32,000 SentencePiece pieces (PyPI's mistral-common). One
document in 200 is kept for validation, by a hash of its text. Prompts and responses of WordNet (wordnet-base) become
pairs-train.h5 and pairs-validation.h5, with the prompts masked out of the loss and one pair in 20 for validation.

  --folder DIR         where everything goes; default build/quality
  --code-share SHARE   part of the C files, 0 to 1; default 1. All of it makes about 300 million tokens
  --pack               also the same files as .h5.xz, to carry to another machine; run.py unpacks them
TEXT
}

source_dir=$(cd "$(dirname "$0")/../.." && pwd)
folder=$source_dir/build/quality
code_share=1
pack=no
while [ $# -gt 0 ]; do
  case $1 in
    --folder) folder=${2:?--folder needs a folder}; shift 2 ;;
    --code-share) code_share=${2:?--code-share needs a number}; shift 2 ;;
    --pack) pack=yes; shift ;;
    --help) usage; exit 0 ;;
    *) echo "make_data.sh: unknown option '$1' (see --help)" >&2; exit 2 ;;
  esac
done
tokenize=$source_dir/build/host-release/bin/sward-tokenize
[ -x "$tokenize" ] || { echo "make_data.sh: $tokenize: build the preset host-release first" >&2; exit 2; }
mkdir -p "$folder"
cd "$folder"

unpack_package() { # name
  [ ! -d "$1" ] || return 0
  rm -rf "$1.part" download
  mkdir "$1.part" download
  (cd download && { apt-get download -qq "$1" 2> /dev/null || { apt-get update -qq && apt-get download -qq "$1"; }; })
  dpkg -x download/*.deb "$1.part"
  ls download >> packages.txt
  rm -r download
  mv "$1.part" "$1"
}

unpack_package dict-gcide
unpack_package linux-doc-6.1
unpack_package linux-source-6.1
unpack_package wordnet-base
[ -f gcide.txt ] || {
  "$source_dir/drivers/examples/gcide_text.py" dict-gcide/usr/share/dictd/gcide.dict.dz > gcide.txt.part
  mv gcide.txt.part gcide.txt
}
[ -d code ] || {
  rm -rf code.part
  mkdir code.part
  # Tables of registers, which are no text, are as large as the rest of the drivers.
  tar -C code.part -xJf linux-source-6.1/usr/src/linux-source-6.1.tar.xz --wildcards --exclude='*/drivers/gpu/drm/amd/*' \
    '*.c' '*.h'
  mv code.part code
}
[ -f tokenizer.model ] || {
  python3 -m venv pip
  pip/bin/pip download -q --no-deps -d wheel mistral-common
  python3 -m zipfile -e wheel/mistral_common-*.whl wheel/unpacked
  mv wheel/unpacked/mistral_common/data/tokenizer.model.v1 tokenizer.model
  ls wheel/*.whl >> packages.txt
  rm -r pip wheel
}
"$source_dir/perf/quality/documents.py" --dictionary gcide.txt --text linux-doc-6.1/usr/share/doc --code code \
  --code-share "$code_share" |
  "$tokenize" - --input-format jsonl --tokenizer tokenizer.model --output train.h5 --evaluation validation.h5 \
    --evaluation-fraction 0.005 --force
"$source_dir/drivers/examples/wordnet_pairs.py" wordnet-base/usr/share/wordnet/data.noun |
  "$tokenize" - --input-format jsonl --tokenizer tokenizer.model --output pairs-train.h5 \
    --evaluation pairs-validation.h5 --evaluation-fraction 0.05 --force
[ $pack = no ] || xz --keep --force --threads=0 {,pairs-}{train,validation}.h5
