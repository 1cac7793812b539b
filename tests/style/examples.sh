#!/usr/bin/env bash
# Fails unless the examples that are to be short have less than 80 lines, and every piece of C++ in their page of the
# documentation stands in one of them as it is.
set -euo pipefail

case ${1:-} in
  "") ;;
  *) echo "Usage: tests/style/examples.sh"; [ "$1" = --help ] && exit 0; exit 2 ;;
esac
cd "$(dirname "$0")/../../docs"
page=projected-optimizer.md
failed=0

for name in selection_rule sketch_optimizer; do
  lines=$(wc -l < examples/$name.cpp)
  [ "$lines" -lt 80 ] || { echo "docs/examples/$name.cpp has $lines lines, wanted less than 80"; failed=1; }
done

code=$(cat examples/*.cpp)
excerpt= inside=no count=0
while IFS= read -r line; do
  if [ "$line" = '```cpp' ]; then
    inside=yes excerpt=
  elif [ "$line" = '```' ] && [ $inside = yes ]; then
    inside=no count=$((count + 1))
    [[ $'\n'$code$'\n' == *$'\n'"$excerpt"* ]] || { echo "docs/$page shows what is in no example:"; echo "$excerpt"; failed=1; }
  elif [ $inside = yes ]; then
    excerpt+=$line$'\n'
  fi
done < $page
[ $count -gt 0 ] || { echo "docs/$page shows no C++"; failed=1; }
exit $failed
