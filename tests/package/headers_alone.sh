#!/usr/bin/env bash
# Each public header compiles alone, without a warning, by each compiler that is there.
#
#   headers_alone.sh ROOT COMPILER...
set -euo pipefail
cd "$1"
shift
found=0
for compiler in "$@"; do
  command -v "$compiler" >/dev/null || continue
  found=1
  # Twice, for what a header lacks against being included again.
  printf '%s\n' include/cloze/*.h |
    xargs -P 2 -I{} sh -c 'printf "#include \"%s\"\n#include \"%s\"\n" "${1#include/}" "${1#include/}" |
      "$2" -std=c++20 -Wall -Wextra -pedantic -Werror -Iinclude -fsyntax-only -x c++ - ||
      { echo "$1 does not compile alone by $2"; exit 255; }' _ {} "$compiler"
done
[ $found = 1 ] || { echo "no compiler of $* is there"; exit 1; }

# What a header declares outside of this pragma is hidden in libcloze.so.
for header in include/cloze/*.h; do
  [ "$header" = include/cloze/cloze.h ] && continue
  [ "$(grep -c '^#pragma GCC visibility push(default)$' "$header")" = 1 ] &&
    [ "$(tail -n 1 "$header")" = '#pragma GCC visibility pop' ] ||
    { echo "$header does not make its names public by #pragma GCC visibility"; exit 1; }
done
