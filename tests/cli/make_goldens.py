#!/usr/bin/env python3
"""Makes tests/cli/goldens.json: what transformers answers where the commands of `cloze` are tested.

    python tests/cli/make_goldens.py [--minilm DIR] [--output tests/cli/goldens.json]

Needs torch and transformers (the committed file: torch 2.15, transformers 5.23). The models are the
small random ones of tests/goldens, and all-MiniLM-L6-v2 where its directory is given.
"""

import argparse
import json
import pathlib

import torch
import transformers

MODELS = pathlib.Path(__file__).resolve().parent.parent / "goldens"

MASKED = ["the dog [MASK] .", "[MASK] dog , [MASK] ?", "Dogs [MASK]"]
PAIRS = [["the dog .", "a cat ?"], ["abc", "the dogs ."], ["", "dog"]]
TEXTS = ["the dogs .", "", "a b c d, the dog?", "Zebra"]
MINILM_TEXTS = [
    "Hello, my dog is cute",
    "A man is eating food.",
    "Naïve café — 東京 was founded in 1457, wasn't it?",
    "",
    "The quick brown fox jumps over the lazy dog. " * 40,
]


def tokenizer_of(directory):
    return transformers.AutoTokenizer.from_pretrained(directory)


def fill_mask(name):
    directory = MODELS / name
    model = transformers.BertForMaskedLM.from_pretrained(directory, dtype=torch.float64)
    pipe = transformers.pipeline("fill-mask", model=model, tokenizer=tokenizer_of(directory))
    answers = []
    for text in MASKED:
        answer = pipe(text, top_k=4)
        answers.append(answer if isinstance(answer[0], list) else [answer])
    return [
        {
            "text": text,
            "masks": [
                [
                    {"token": c["token_str"], "id": c["token"], "score": c["score"], "sequence": c["sequence"]}
                    for c in mask
                ]
                for mask in answer
            ],
        }
        for text, answer in zip(MASKED, answers)
    ]


def next_sentence(name):
    directory = MODELS / name
    model = transformers.BertForNextSentencePrediction.from_pretrained(directory, dtype=torch.float64)
    tokenizer = tokenizer_of(directory)
    result = []
    for pair in PAIRS:
        with torch.no_grad():
            logits = model(**tokenizer(*pair, return_tensors="pt")).logits[0]
        result.append({"pair": pair, "is_next": torch.softmax(logits, -1)[0].item()})
    return result


def encode(directory, texts, max_length, values, normalize=False):
    model = transformers.BertModel.from_pretrained(directory, dtype=torch.float64)
    tokenizer = tokenizer_of(directory)
    result = []
    for text in texts:
        inputs = tokenizer(text, return_tensors="pt", truncation=True, max_length=max_length)
        with torch.no_grad():
            out = model(**inputs, output_hidden_states=True)
        mean = out.last_hidden_state[0].mean(0)
        if normalize:
            mean = torch.nn.functional.normalize(mean, dim=0)
        entry = {
            "text": text,
            "tokens": tokenizer.convert_ids_to_tokens(inputs["input_ids"][0]),
            "mean": mean[:values].tolist(),
        }
        if not normalize:
            entry["last_hidden_state"] = out.last_hidden_state[0].tolist()
            entry["layers_0_-1"] = torch.cat([out.hidden_states[0][0], out.hidden_states[-1][0]], -1).tolist()
            entry["pooler"] = out.pooler_output[0].tolist()
        result.append(entry)
    return result


def rounded(value):
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, list):
        return [rounded(v) for v in value]
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return value


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minilm", type=pathlib.Path)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path(__file__).parent / "goldens.json")
    arguments = parser.parse_args()
    goldens = {
        "fill_mask": fill_mask("masked_lm_untied"),
        "next_sentence": next_sentence("pretraining"),
        "encode": encode(MODELS / "bare_odd", TEXTS, 24, None),
    }
    if arguments.minilm:
        # As sentence-transformers has it: at most 256 tokens, the mean, normalized.
        goldens["minilm"] = encode(arguments.minilm, MINILM_TEXTS, 256, 32, normalize=True)
    arguments.output.write_text(json.dumps(rounded(goldens), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
