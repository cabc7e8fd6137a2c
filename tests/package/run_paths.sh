#!/usr/bin/env bash
# No program or library looks for libraries in the current directory, or anywhere that depends on it: no entry
# of its RPATH or RUNPATH is empty or relative. What is installed looks nowhere but in its own folders.
#
#   run_paths.sh [--installed] FILE_OR_DIRECTORY...
set -euo pipefail
installed=
if [ "$1" = --installed ]; then
  installed=1
  shift
fi
bad=0 seen=0
while IFS= read -r -d '' file; do
  [ "$(head -c 4 "$file" | tail -c 3)" = ELF ] || continue
  seen=$((seen + 1))
  # One line a path; its entries lie between colons, and an empty one is the current directory.
  while IFS= read -r path; do
    while IFS= read -r entry; do
      case $entry in
        '$ORIGIN' | '$ORIGIN'/*) ;;
        /*) [ -z "$installed" ] || { echo "$file looks for libraries in $entry, a folder of this machine"; bad=1; } ;;
        *) echo "$file looks for libraries in the current directory: its run path is [$path]"; bad=1; break ;;
      esac
    done <<<"${path//:/$'\n'}"
  done < <(readelf -dW "$file" 2>/dev/null | sed -nE 's/.*\((RPATH|RUNPATH)\).*\[(.*)\]$/\2/p')
done < <(find "$@" -type f \( -perm -u+x -o -name '*.so*' \) -print0)
[ "$seen" -gt 0 ] || { echo "there is no program or library in $*"; exit 1; }
exit $bad
