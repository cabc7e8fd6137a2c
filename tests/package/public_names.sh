#!/usr/bin/env bash
# libcloze.so offers the names of the public headers and nothing else, under a name with the minor
# version in it.
#
#   public_names.sh LIBRARY MAJOR.MINOR
set -euo pipefail
library=$1 version=$2

names=$(nm -DC --defined-only "$library" | cut -d' ' -f3-)
others=$(grep -vE '^((typeinfo( name)?|vtable) for )?cloze::[A-Za-z_]+' <<<"$names" || true)
[ -z "$others" ] || { printf 'names that are not of namespace cloze:\n%s\n' "$others" | head -20; exit 1; }
# Namespaces inside of cloze are internal, as are the hidden parts of public classes. Arguments may be of
# internal types: those of private constructors.
inside=$(sed 's/(.*//' <<<"$names" |
  grep -E 'cloze::(internal|ops|nn|files|page|http|cli)::|::(Impl|Contents|Lines)::' || true)
[ -z "$inside" ] || { printf 'internal names that are visible:\n%s\n' "$inside" | head -20; exit 1; }
for wanted in 'cloze::Tokenizer::from_pretrained' 'cloze::BertModel::from_pretrained' 'cloze::finetune' \
  'typeinfo for cloze::ModelError' 'cloze::set_num_threads'; do
  grep -qF "$wanted" <<<"$names" || { echo "$wanted is not visible"; exit 1; }
done
soname=$(readelf -d "$library" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
[ "$soname" = "libcloze.so.$version" ] || { echo "the soname is $soname, not libcloze.so.$version"; exit 1; }
echo "$(wc -l <<<"$names") public names, soname $soname"
