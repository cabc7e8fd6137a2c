#!/usr/bin/env bash
# A program runs in a root that holds nothing but itself, libcloze.so, the libraries that it needs and a
# model: no /proc, no /sys, no files of Cloze's sources or build.
#
#   clean_root.sh LIBRARY ROOT COMPILER WORK MODEL
set -euo pipefail
library=$1 source=$2 compiler=$3 work=$4 model=$5

if [ "$(id -u)" = 0 ]; then
  change=(chroot)
elif unshare -r true 2>/dev/null; then
  change=(unshare -r chroot)
else
  echo "skipped: this system lets nobody but root change the root directory"
  exit 77
fi
rm -rf "$work"
root=$work/root
mkdir -p "$root/lib"
"$compiler" -std=c++20 -I"$source/include" "$source/examples/hello/main.cpp" "$library" -o "$root/hello"
soname=$(readelf -d "$library" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
cp -L "$library" "$root/lib/$soname"
{ ldd "$library"; ldd "$root/hello"; } | grep -oE '(=> )?/[^ ]+' | sed 's/^=> //' | sort -u | while read -r file; do
  [ "$(basename "$file")" = "$soname" ] && continue
  mkdir -p "$root$(dirname "$file")"
  cp -L "$file" "$root$file"
done
cp -r "$model" "$root/model"
output=$(LD_LIBRARY_PATH=/lib "${change[@]}" "$root" /hello /model)
echo "$output"
grep -q '^last_hidden_state \[' <<<"$output" || { echo "no last_hidden_state"; exit 1; }
