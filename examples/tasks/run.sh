#!/usr/bin/env bash
# A recipe for each task, on the small files of examples/data: fine-tune, then answer. With MiniLM all of them take
# a minute or two. So few examples teach a model the form of a task and little else; put your own in their place.
#
#   examples/tasks/run.sh [MODEL=all-MiniLM-L6-v2] [OUTPUT=build/tasks] [STEPS=80]
#
# CLOZE names the command, build/release/cloze unless set.
set -euo pipefail
cd "$(dirname "$0")/../.."
cloze=${CLOZE:-build/release/cloze}
model=${1:-all-MiniLM-L6-v2}
output=${2:-build/tasks}
steps=${3:-80}
data=examples/data

# recipe NAME TASK FILE_ENDING [OPTIONS...]: from $data/NAME.train.ENDING and its dev set to $output/NAME
recipe() {
  local name=$1 task=$2 ending=$3
  shift 3
  printf '\n== %s (%s)\n' "$name" "$task"
  "$cloze" finetune --overwrite --task "$task" --model "$model" --train "$data/$name.train.$ending" \
    --dev "$data/$name.dev.$ending" --output "$output/$name" --steps "$steps" \
    --evaluate-every "$steps" --batch-size 8 --learning-rate 2e-4 "$@"
}

# What someone feels about a thing: one label a text.
recipe sentiment text-classification tsv
"$cloze" classify --model "$output/sentiment" "A warm and friendly place." "The handle came off at once."

# What a remark is about: any number of labels a text.
recipe topics text-classification tsv --multi-label
"$cloze" classify --model "$output/topics" --all "The courier was kind, but it cost a fortune."

# Whether two questions ask the same: one label a pair.
recipe pairs text-classification tsv
"$cloze" classify --model "$output/pairs" --pair "When do you close?" "Until what time are you open?"

# How alike two sentences are, from 0 to 5.
recipe likeness regression tsv
"$cloze" classify --model "$output/likeness" --pair "A man plays." "Someone is playing."

# People, places and organisations. These sentences are no documents, so none is read with its neighbours.
recipe entities token-classification conll --no-document-context
"$cloze" tag --model "$output/entities" --aggregation first "Jan Brandt lives in Bergen."

# Where in a text a question is answered, if it is.
recipe questions question-answering json --version-2
"$cloze" answer --model "$output/questions" --version-2 --top-k 2 --question "When was it built?" \
  "The barn was built in 1901."

# Which continuation is right.
recipe choices multiple-choice jsonl
"$cloze" choose --model "$output/choices" "He lit a candle because" "it was dark." "the dog barked."

# A dialogue: what is wanted (intent), of what and when (slots), and which response suits.
recipe intents text-classification tsv
recipe slots token-classification conll --no-document-context
recipe responses ranking tsv
said="Please refund the kettle from Friday."
printf '\n== a turn of the dialogue: %s\n' "$said"
"$cloze" classify --model "$output/intents" "$said"
"$cloze" tag --model "$output/slots" --aggregation first "$said"
cut -f2 "$data/responses.train.tsv" | tail -n +2 | sort -u |
  "$cloze" rank --model "$output/responses" --query "$said" --top-k 2

# The figures of a model on any file.
printf '\n== evaluate\n'
"$cloze" evaluate --model "$output/intents" --data "$data/intents.dev.tsv" --predictions "$output/intents.jsonl"
