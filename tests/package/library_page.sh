#!/usr/bin/env bash
# docs/architecture.md names every public header.
#
# The code of docs/library.md is that of programs that are compiled and run: each block of C++ follows a
# comment that names a file of tests/package and stands in it, line by line, but for indentation; and
# each of these files, but for the main program, has a block.
#
#   library_page.sh ROOT [PAGE]
set -euo pipefail
cd "$1"
page=${2:-docs/library.md}

for header in include/cloze/*.h; do
  name=$(basename "$header" .h)
  grep -q "^| .*\`$name\`" docs/architecture.md || { echo "docs/architecture.md does not name $header" && exit 1; }
done

awk -v page="$page" '
  function trimmed(line) { gsub(/^[ \t]+|[ \t]+$/, "", line); return line }
  function text_of(file,   line, text) {
    if (file in known) return known[file]
    text = "\n"
    while ((getline line < file) > 0) text = text trimmed(line) "\n"
    close(file)
    return known[file] = text
  }
  function complain(what) { printf "%s:%d: %s\n", page, begin, what; problems = 1 }
  /^<!-- tests\/package\/.* -->$/ { from = $2; next }
  /^```cpp$/ { begin = NR; block = "\n"; inside = 1; next }
  /^```/ && inside {
    inside = 0
    if (from == "") complain("no comment names the program that this is a part of")
    else if (!index(text_of(from), block)) complain("this is not a part of " from)
    shown[from] = 1
    from = ""
    next
  }
  inside { block = block trimmed($0) "\n" }
  END {
    while (("ls tests/package/*.cc" | getline file) > 0) {
      if (file !~ /\/main\.cc$/ && !(file in shown)) { begin = 1; complain("shows nothing of " file) }
    }
    exit problems
  }
' "$page"
