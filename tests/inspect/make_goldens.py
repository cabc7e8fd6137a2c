#!/usr/bin/env python3
"""What captum says of the golden models, for tests/inspect/attribution_test.cc.

    python tests/inspect/make_goldens.py [--output tests/inspect/captum.json]

Needs torch, transformers, captum. Each case: input_ids, token_type_ids, baseline_ids, the logits whose sum
is explained ([token, output]), and captum's LayerIntegratedGradients (50 Gauss-Legendre steps) and
LayerGradientXActivation on bert.embeddings.word_embeddings, summed over the embedding, in float64.
"""

import argparse
import json
import pathlib

import torch
import transformers
from captum.attr import LayerGradientXActivation, LayerIntegratedGradients

HERE = pathlib.Path(__file__).resolve().parent
PAD, CLS, SEP, MASK = 0, 2, 3, 4
A, B = [5, 6, 7, 11, 12, 9], [13, 8, 10]
CASES = [
    ("pretraining", "masked_lm", [[3, 9]], [5, 6, MASK, 11, 12], []),
    ("pretraining", "next_sentence", [[0, 1]], A, B),
    ("masked_lm_untied", "masked_lm", [[2, 14]], [5, MASK, 11, 12, 20], B),
    ("masked_lm_tied_stored_bf16", "masked_lm", [[1, 8]], [MASK, 9, 30], []),
    ("sequence_3_labels", "sequence", [[0, 2]], A + [20, 21, 22, 23], B),
    ("sequence_regression", "sequence", [[0, 0]], A, []),
    ("token_5_layers", "token", [[4, 3]], A, B),
    ("question_legacy_names", "span", [[8, 0], [9, 1]], A, B),
    ("distilbert/sequence", "sequence", [[0, 1]], A, []),
    ("distilbert/masked_lm", "masked_lm", [[2, 9]], [5, MASK, 11], []),
]
CLASSES = {
    "masked_lm": transformers.BertForMaskedLM,
    "next_sentence": transformers.BertForNextSentencePrediction,
    "sequence": transformers.BertForSequenceClassification,
    "token": transformers.BertForTokenClassification,
    "span": transformers.BertForQuestionAnswering,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, default=HERE / "captum.json")
    transformers.logging.set_verbosity_error()
    cases = []
    for name, head, logits, first, second in CASES:
        distil = name.startswith("distilbert")
        kind = getattr(transformers, "Distil" + CLASSES[head].__name__) if distil else CLASSES[head]
        model = kind.from_pretrained(HERE.parent / "goldens" / name, attn_implementation="eager").eval().double()
        ids = [CLS, *first, SEP] + ([*second, SEP] if second else [])
        types = [0] * (len(first) + 2) + ([1] * (len(second) + 1) if second else [])
        baseline = [i if i in (CLS, SEP, MASK) else PAD for i in ids]
        ids, types, baseline = torch.tensor([ids]), torch.tensor([types]), torch.tensor([baseline])

        def score(inputs):
            output = model(inputs, **({} if distil else {"token_type_ids": types.expand(inputs.shape[0], -1)}))
            if head == "span":
                return sum((output.start_logits, output.end_logits)[o][:, t] for t, o in logits)
            [[token, out]] = logits
            return output.logits[:, token, out] if output.logits.dim() == 3 else output.logits[:, out]

        layer = model.base_model.embeddings.word_embeddings
        integrated = LayerIntegratedGradients(score, layer).attribute(ids, baselines=baseline, n_steps=50)
        product = LayerGradientXActivation(score, layer).attribute(ids)
        with torch.no_grad():
            scores = [score(baseline).item(), score(ids).item()]
        cases.append({
            "model": name, "head": head, "logits": logits, "scores": scores,
            "input_ids": ids[0].tolist(), "token_type_ids": types[0].tolist(), "baseline_ids": baseline[0].tolist(),
            "integrated_gradients": integrated[0].sum(-1).tolist(), "gradient_x_input": product[0].sum(-1).tolist(),
        })
    parser.parse_args().output.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main()
