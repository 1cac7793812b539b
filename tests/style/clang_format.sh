#!/usr/bin/env bash
# Fails, naming the lines, when a source file is not as .clang-format wants it. With --fix, rewrites such files.
set -euo pipefail
cd "$(dirname "$0")/../.."

case ${1:-} in
  "") mode=(--dry-run -Werror) ;;
  --fix) mode=(-i) ;;
  *) echo "Usage: tests/style/clang_format.sh [--fix]"; [ "$1" = --help ] && exit 0; exit 2 ;;
esac
tool=$(command -v clang-format-14 || command -v clang-format) || { echo "clang-format is not installed"; exit 77; }

sources() {
  if git rev-parse --git-dir > /dev/null 2>&1; then
    git ls-files -z --cached --others --exclude-standard '*.hpp' '*.cpp' '*.h' '*.c'
  else
    find kernels src drivers tests perf cmake docs \( -name '*.hpp' -o -name '*.cpp' -o -name '*.h' -o -name '*.c' \) -print0
  fi
}
sources | xargs -0 "$tool" "${mode[@]}"
