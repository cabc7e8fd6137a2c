#!/usr/bin/env bash
# scripts/check-dependency-direction accepts a small tree, and refuses it once it breaks any rule.
#
#   rules_test.sh SCRIPT
set -euo pipefail
script=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A tree that keeps to the rules.
fresh() {
  rm -rf "$work/tree"
  mkdir -p "$work"/tree/{src/{core,ops/cpu,cli,serve},bench,python,include/cloze}
  cd "$work/tree"
  printf '#include <string>\n#include "cloze/error.h"\n' >include/cloze/tensor.h
  printf '#include "core/arena.h"\n#include <oneapi/dnnl/dnnl.hpp>\n' >src/ops/cpu/onednn.cc
  printf '#include "cloze/tensor.h"\n#include "cli/options.h"\n#include <CLI/CLI.hpp>\n' >src/cli/info.cc
  printf '#include "cloze/tensor.h"\n#include "serve/queue.h"\n' >src/serve/server.cc
  printf '#include "cloze/tensor.h"\n#include <nanobind/nanobind.h>\n' >python/module.cc
  printf '#include "core/arena.h"\n#include "cli/options.h"\n' >bench/encode_command.cc
}

# refused FILE LINE WORDS: the tree with this line more is refused, with a message of these words.
refused() {
  fresh
  printf '%s\n' "$2" >>"$1"
  if said=$("$script" "$work/tree"); then
    echo "accepted in $1: $2" && exit 1
  fi
  [[ $said == *"$1"*"$3"* ]] || { echo "for $2 in $1 it said: $said" && exit 1; }
}

fresh
"$script" "$work/tree" >/dev/null

refused src/core/arena.cc '#include "ops/matrix.h"' "ops lies below core"
refused src/core/arena.cc '#include <dnnl.hpp>' "know a device"
refused src/ops/cpu/linear.cc '#include <oneapi/dnnl/dnnl.hpp>' "only ops/cpu/onednn.cc knows oneDNN"
refused src/core/arena.cc '#include "elsewhere/arena.h"' "names no folder"
refused src/cli/info.cc '#include "core/arena.h"' "cli includes cloze/, cli/ and third-party headers only"
refused src/serve/server.cc '#include "core/arena.h"' "serve includes cloze/"
refused src/serve/server.cc '#include "cli/options.h"' "serve includes cloze/"
refused python/module.cc '#include "core/arena.h"' "python includes cloze/"
refused include/cloze/tensor.h '#include <fmt/format.h>' "standard library only"
refused include/cloze/tensor.h '#include "core/arena.h"' "standard library only"
refused include/cloze/tensor.h '#include "cloze/hub.h"' "hub lies below core"
refused include/cloze/unknown.h '#include <string>' "does not know"

fresh
for i in {1..31}; do touch "src/serve/$i.h"; done
if said=$("$script" "$work/tree"); then echo "accepted 31 files in a folder" && exit 1; fi
[[ $said == *"src/serve: 32 files"* ]] || { echo "$said" && exit 1; }
rm src/serve/{1,2}.h && "$script" "$work/tree" >/dev/null
for i in {1..40}; do touch "src/cli/$i.h"; done
"$script" "$work/tree" >/dev/null
