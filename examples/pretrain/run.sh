#!/usr/bin/env bash
# From a text file to a BERT: vocabulary, pre-training, a look at what it has learnt.
#
#   examples/pretrain/run.sh TEXT OUTPUT [TIME=5m]
set -euo pipefail

if [ $# -lt 2 ]; then
  echo "usage: $0 TEXT OUTPUT [TIME=5m]" >&2
  exit 2
fi
text=$1 output=$2 time=${3:-5m}
export PATH="$(cd "$(dirname "$0")/../.." && pwd)/build/release:$PATH"

mkdir -p "$output"
cloze vocab --text "$text" --size 8000 --output "$output/vocab.txt"
cloze pretrain --text "$text" --vocab "$output/vocab.txt" --size mini --dropout 0 --learning-rate 1e-3 --warmup 0.1 \
  --max-length 64 --batch-tokens 1024 --max-time "$time" --evaluate-every 500 --log-every 100 --output "$output/bert"
cloze fill-mask --model "$output/bert" "he went to the [MASK] ."
echo "the curves: tensorboard --logdir $output/bert/tensorboard"
