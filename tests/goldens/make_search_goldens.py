#!/usr/bin/env python3
"""Makes the golden models of tests/pipelines/search_encoders_test.cc: small DPRs, SparseEncoders and
MultiVectorEncoders with random weights, and what transformers and sentence-transformers compute with them.

    python tests/goldens/make_search_goldens.py [--output tests/goldens/search]

Needs sentence-transformers with torch (the committed files: sentence-transformers 6.2, torch 2.15, transformers 5.24).
`texts.json` has the queries and the documents. Beside each model `golden.safetensors` has

    dpr_*      document.N [dimension], of each document: `pooler_output`
    splade_*   document [documents, vocabulary], similarity [documents, documents]
    colbert_*  query.N and document.N [tokens, dimension], scores [queries, documents]
"""

import argparse
import logging
import os
import pathlib
import shutil

os.environ.update(TRANSFORMERS_VERBOSITY="error", HF_HUB_OFFLINE="1", CUDA_VISIBLE_DEVICES="")
import search_models as models  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from sentence_transformers import MultiVectorEncoder, SparseEncoder  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
PUNCTUATION = list("!,.:?")
CASES = {
    "dpr_question": lambda d: models.dpr(d, 1),
    "dpr_context": lambda d: models.dpr(d, 2, context=True, projection=10),
    "splade_max": lambda d: models.sparse(d, 3),
    "splade_sum": lambda d: models.sparse(d, 4, legacy=True, strategy="sum", activation="log1p_relu",
                                          settings={"max_active_dims": 20, "similarity_fn_name": "cosine"}),
    "splade_electra": lambda d: models.sparse(d, 5, electra=True, activation="log1p_relu"),
    "colbert_native": lambda d: models.late_interaction(
        d, 6, transformer={"document_length": 16, "query_expansion": {"strategy": "min", "length": 12}},
        mask={"skiplist_words": PUNCTUATION}, settings={"similarity_fn_name": "meanmaxsim"}),
    "colbert_pylate": lambda d: models.pylate(
        d, 7, {"query_prefix": "[Q] ", "document_prefix": "[D] ", "query_length": 14, "document_length": 24,
               "attend_to_expansion_tokens": True}, added=("[Q] ", "[D] ")),
    "colbert_stanford": lambda d: models.stanford(d, 8, {"query_maxlen": 16, "doc_maxlen": 20}),
}


def expected(name, directory):
    if name.startswith("dpr"):
        kind = transformers.DPRContextEncoder if "context" in name else transformers.DPRQuestionEncoder
        model, tokenizer = kind.from_pretrained(directory), transformers.AutoTokenizer.from_pretrained(directory)
        return {f"document.{i}": model.eval()(**tokenizer(text, return_tensors="pt")).pooler_output[0].detach()
                for i, text in enumerate(models.DOCUMENTS)}
    if name.startswith("splade"):
        model = SparseEncoder(str(directory), device="cpu")
        found = model.encode(models.DOCUMENTS)
        return {"document": found.to_dense(), "similarity": model.similarity(found, found).to_dense()}
    model = MultiVectorEncoder(str(directory), device="cpu")
    queries, documents = model.encode_query(models.QUERIES), model.encode_document(models.DOCUMENTS)
    found = {f"query.{i}": vectors for i, vectors in enumerate(queries)}
    found |= {f"document.{i}": vectors for i, vectors in enumerate(documents)}
    return found | {"scores": model.similarity(queries, documents)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, default=HERE / "search")
    output = parser.parse_args().output
    logging.disable(logging.WARNING)
    shutil.rmtree(output, ignore_errors=True)
    for name, make in CASES.items():
        make(output / name)
        with torch.no_grad():
            found = expected(name, output / name)
        save_file({key: value.contiguous().float() for key, value in found.items()},
                  output / name / "golden.safetensors")
    models.write_json(output / "texts.json", {"queries": models.QUERIES, "documents": models.DOCUMENTS})


if __name__ == "__main__":
    main()
