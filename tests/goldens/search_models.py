"""Small random models of the kinds that people search with, as transformers, sentence-transformers, PyLate and
Stanford's ColBERT lay them out: what make_search_goldens.py writes down and tests/conformance/search_encoders.py holds
Cloze against."""

import json
import string

import torch
import transformers
from safetensors.torch import save_file

WORDS = ["the", "cat", "sat", "dog", "who", "wrote", "a", "mat", "of", "on", "q", "d", "query", "passage", "é", "中", "文"]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
VOCABULARY = list(dict.fromkeys(["[PAD]", "[unused0]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS,
                                 *string.punctuation, *LETTERS, *("##" + letter for letter in LETTERS)]))
QUERIES = ["who wrote the cat?", "Dog", "the cat sat on the mat, the dog sat on a mat of the cat. who wrote it", "[MASK] a?"]
DOCUMENTS = ["The cat sat on the mat.", "dog!", "...", "a 中文 é: query, [unused0] the", "the dog " * 12 + "end", "sat"]
SIZES = dict(vocab_size=len(VOCABULARY) + 3, hidden_size=24, num_hidden_layers=2, num_attention_heads=2,
             intermediate_size=40, max_position_embeddings=40, pad_token_id=0)


def write_json(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def randomize(model, seed, scale=0.25):
    """Weights with which every part of a model has something to say."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(noise * scale + (1 if name.endswith("LayerNorm.weight") else 0))
    return model.eval()


def save(model, directory, name="BertTokenizer"):
    """The model with its tokenizer."""
    model.save_pretrained(directory)
    (directory / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    write_json(directory / "tokenizer_config.json",
               {"tokenizer_class": name, "do_lower_case": True, "model_max_length": SIZES["max_position_embeddings"]})


def modules(directory, *entries):
    listed = [{"idx": i, "name": str(i), "path": path, "type": kind} for i, (path, kind) in enumerate(entries)]
    write_json(directory / "modules.json", listed)


def bert(directory, seed, kind=transformers.BertModel, **settings):
    config = transformers.BertConfig(**SIZES, **settings)
    extra = {"add_pooling_layer": False} if kind is transformers.BertModel else {}
    save(randomize(kind(config, **extra), seed), directory)


def dense(directory, outputs, seed, level="token_embeddings", bias=False, activation="Identity"):
    generator = torch.Generator().manual_seed(seed)
    fields = {"in_features": SIZES["hidden_size"], "out_features": outputs, "bias": bias,
              "activation_function": f"torch.nn.modules.linear.{activation}" if activation == "Identity"
              else f"torch.nn.modules.activation.{activation}"}
    if level:
        fields |= {"module_input_name": level, "module_output_name": level}
    write_json(directory / "config.json", fields)
    tensors = {"linear.weight": torch.randn(outputs, SIZES["hidden_size"], generator=generator) / 3}
    if bias:
        tensors["linear.bias"] = torch.randn(outputs, generator=generator) / 3
    save_file(tensors, directory / "model.safetensors")


def dpr(directory, seed, context=False, projection=0):
    config = transformers.DPRConfig(**SIZES, projection_dim=projection)
    kind = transformers.DPRContextEncoder if context else transformers.DPRQuestionEncoder
    save(randomize(kind(config), seed), directory, kind.__name__ + "Tokenizer")


def sparse(directory, seed, legacy=False, strategy=None, activation=None, electra=False, settings=None, **config):
    """A SparseEncoder; `legacy`: as sentence-transformers 5 wrote it."""
    if electra:
        kind = transformers.ElectraForMaskedLM
        model = kind(transformers.ElectraConfig(**SIZES, embedding_size=16))
        save(randomize(model, seed), directory, "ElectraTokenizer")
    else:
        bert(directory, seed, transformers.BertForMaskedLM, **config)
    package = "sentence_transformers.sparse_encoder.models" if legacy else "sentence_transformers.sparse_encoder.modules"
    first = f"{package}.MLMTransformer" if legacy else "sentence_transformers.base.modules.transformer.Transformer"
    modules(directory, ("", first), ("1_SpladePooling", f"{package}.SpladePooling"))
    pooling = {"pooling_strategy": strategy, "activation_function": activation}
    write_json(directory / "1_SpladePooling/config.json", {k: v for k, v in pooling.items() if v})
    if not legacy:
        write_json(directory / "sentence_bert_config.json",
                   {"transformer_task": "fill-mask", "module_output_name": "token_embeddings",
                    "modality_config": {"text": {"method": "forward", "method_output_name": "logits"}}})
    write_json(directory / "config_sentence_transformers.json", {"model_type": "SparseEncoder", **(settings or {})})


def late_interaction(directory, seed, transformer=None, mask=None, settings=None, outputs=12, bias=False,
                     activation="Identity"):
    """A MultiVectorEncoder as sentence-transformers 6 writes it."""
    bert(directory, seed)
    base = "sentence_transformers.base.modules"
    modules(directory, ("", f"{base}.transformer.Transformer"), ("1_Dense", f"{base}.dense.Dense"),
            ("2_MultiVectorMask", "sentence_transformers.multi_vector_encoder.modules.multi_vector_mask.MultiVectorMask"),
            ("3_Normalize", f"{base}.normalize.Normalize"))
    write_json(directory / "sentence_bert_config.json",
               {"transformer_task": "feature-extraction", "module_output_name": "token_embeddings",
                "modality_config": {"text": {"method": "forward", "method_output_name": "last_hidden_state"}},
                **(transformer or {})})
    dense(directory / "1_Dense", outputs, seed + 1, bias=bias, activation=activation)
    write_json(directory / "2_MultiVectorMask/config.json", mask or {})
    level = {"module_input_name": "token_embeddings", "module_output_name": "token_embeddings"}
    write_json(directory / "3_Normalize/config.json", level)
    write_json(directory / "config_sentence_transformers.json",
               {"model_type": "MultiVectorEncoder", "prompts": {"query": "[Q] ", "document": "[D] "}, **(settings or {})})


def pylate(directory, seed, settings, added=(), typed=True, outputs=8):
    """PyLate's layout: a Transformer and a Dense, and settings in config_sentence_transformers.json."""
    bert(directory, seed)
    modules(directory, ("", "sentence_transformers.models.Transformer"), ("1_Dense", "pylate.models.Dense.Dense"))
    dense(directory / "1_Dense", outputs, seed + 1, level=None)
    write_json(directory / "sentence_bert_config.json", {"max_seq_length": 32, "do_lower_case": False})
    write_json(directory / "config_sentence_transformers.json",
               {**({"model_type": "ColBERT"} if typed else {}), "similarity_fn_name": "MaxSim", **settings})
    if added:  # tokens of their own, as PyLate adds "[Q] "
        tokenizer = transformers.BertTokenizerFast.from_pretrained(directory)
        tokenizer.add_tokens(list(added))
        tokenizer.save_pretrained(directory)


def stanford(directory, seed, artifact=None, outputs=8):
    """Stanford's layout: HF_ColBERT with its projection among the weights, and artifact.metadata."""
    bert(directory, seed, architectures=["HF_ColBERT"])
    from safetensors.torch import load_file
    weights = {"bert." + name: tensor for name, tensor in load_file(directory / "model.safetensors").items()}
    generator = torch.Generator().manual_seed(seed + 1)
    weights["linear.weight"] = torch.randn(outputs, SIZES["hidden_size"], generator=generator) / 3
    save_file(weights, directory / "model.safetensors", {"format": "pt"})
    config = json.loads((directory / "config.json").read_text())
    write_json(directory / "config.json", {**config, "architectures": ["HF_ColBERT"]})
    if artifact is not None:
        write_json(directory / "artifact.metadata", artifact)


