#!/usr/bin/env bash
# A recipe for each task, on a few lines of data: fine-tune, evaluate, answer. So little data teaches nothing; put
# your own in its place.
#
#   examples/tasks/run.sh [MODEL=all-MiniLM-L6-v2] [OUTPUT=a temporary folder] [EPOCHS=3]
set -euo pipefail
cd "$(dirname "$0")"
cloze=${CLOZE:-../../build/release/cloze}
model=${1:-all-MiniLM-L6-v2}
output=${2:-$(mktemp -d)}
epochs=${3:-3}

recipe() { # TASK NAME FILE [OPTIONS...]
  local task=$1 name=$2 file=$3
  shift 3
  echo "== $name"
  "$cloze" finetune --task "$task" --model "$model" --train "$file" --dev "$file" --output "$output/$name" \
    --epochs "$epochs" --batch-size 4 "$@"
}

recipe text-classification sentiment data/sentiment.tsv
"$cloze" classify --model "$output/sentiment" "A warm and friendly place."

recipe regression likeness data/likeness.tsv
"$cloze" classify --model "$output/likeness" --pair "A man plays." "Someone is playing."

recipe token-classification entities data/entities.conll
"$cloze" tag --model "$output/entities" "Jan Brandt lives in Bergen."

recipe question-answering answers data/questions.json --version-2
"$cloze" answer --model "$output/answers" --question "When was it built?" "The barn was built in 1901."

recipe multiple-choice choices data/choices.jsonl
"$cloze" choose --model "$output/choices" "He lit a candle because" "it was dark." "the dog barked."

# A dialogue: what is wanted (intent), of what and when (slots), and which response suits.
recipe text-classification intents dialogue/intents.tsv
recipe token-classification slots dialogue/slots.conll
recipe ranking responses dialogue/responses.tsv
said="Please refund the kettle from Friday."
"$cloze" classify --model "$output/intents" "$said"
"$cloze" tag --model "$output/slots" "$said"
cut -f2 dialogue/responses.tsv | tail -n +2 | sort -u |
  "$cloze" rank --model "$output/responses" --query "$said" --top-k 2
