"""Checkpoints that few have: a row for each setting that someone's program writes and the rows of checkpoint_rows.py lack.

A row may have besides what those have

    family     of the model: "bert", "distilbert", "electra"
    edit       what else is done to the directory when it is whole
"""

import json
import shutil

import torch
from safetensors.torch import load_file, save_file

from checkpoint_rows import ABSENT, CASED, CLS, LOWER, MEAN, NORMALIZE, dense, labels, limit, pooling, row, whole

ST6 = "sentence_transformers.sentence_transformer.modules."


def change(name, **fields):
    """Changes fields of a JSON file; a value of ABSENT takes one away."""
    def edit(directory):
        path = directory / name
        content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        content.update(fields)
        path.write_text(json.dumps({k: v for k, v in content.items() if v is not ABSENT}, ensure_ascii=False),
                        encoding="utf-8")
    return edit


def all_of(*edits):
    def edit(directory):
        for each in edits:
            each(directory)
    return edit


def other_weights_beside(directory):
    """pytorch_model.bin with other values: transformers reads model.safetensors where both are there."""
    tensors = load_file(directory / "model.safetensors")
    torch.save({name: value + 1 for name, value in tensors.items()}, directory / "pytorch_model.bin")


def shards(directory):
    tensors = load_file(directory / "model.safetensors")
    index, names = {}, sorted(tensors)
    for number, part in enumerate((names[::2], names[1::2])):
        file = f"model-{number + 1:05}-of-00002.safetensors"
        save_file({name: tensors[name] for name in part}, directory / file, metadata={"format": "pt"})
        index.update({name: file for name in part})
    (directory / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    (directory / "model.safetensors").unlink()


def renamed(rename):
    """The tensors by other names."""
    def edit(directory):
        tensors = load_file(directory / "model.safetensors")
        save_file({rename(name): value for name, value in tensors.items()}, directory / "model.safetensors",
                  metadata={"format": "pt"})
    return edit


def fine(name):
    """TensorFlow's names of a layer norm."""
    return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")


def more_words(words, model_knows=True):
    """Tokens that were added later: in added_tokens_decoder and tokenizer.json, with rows of the matrix."""
    def edit(directory):
        path = directory / "tokenizer.json"
        tokenizer = json.loads(path.read_text(encoding="utf-8"))
        first = len(tokenizer["model"]["vocab"])
        added = [{"content": word, "lstrip": "l" in how, "rstrip": "r" in how, "single_word": "w" in how,
                  "normalized": "n" in how, "special": "s" in how} for word, how in words]
        tokenizer["added_tokens"] += [{"id": first + i, **token} for i, token in enumerate(added)]
        path.write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
        decoder = {str(token["id"]): {k: v for k, v in token.items() if k != "id"} for token in tokenizer["added_tokens"]}
        change("tokenizer_config.json", added_tokens_decoder=decoder)(directory)
    return edit


def tokenizer_json(**fields):
    return change("tokenizer.json", **fields)


def post_processor(single, pair=None):
    """A template; of each piece the token or A, B and its type."""
    def part(piece, kind):
        if piece in ("A", "B"):
            return {"Sequence": {"id": piece, "type_id": kind}}
        return {"SpecialToken": {"id": piece, "type_id": kind}}
    pair = pair or [*single, ("B", 1)]
    ids = {"[CLS]": 2, "[SEP]": 3, "[MASK]": 4}
    return {"type": "TemplateProcessing", "single": [part(*each) for each in single], "pair": [part(*each) for each in pair],
            "special_tokens": {token: {"id": token, "ids": [id], "tokens": [token]} for token, id in ids.items()}}


def modules(*listed):
    """modules.json as stated: (type, path), and the configs beside."""
    def edit(directory):
        for kind, path, config in listed:
            if config is not None:
                (directory / path).mkdir(exist_ok=True)
                (directory / path / "config.json").write_text(json.dumps(config))
        (directory / "modules.json").write_text(json.dumps([
            {"idx": i, "name": str(i), "path": path, "type": kind} for i, (kind, path, _) in enumerate(listed)]))
    return edit


def truncated_and_padded(directory):
    """What tokenizers saves of enable_truncation and enable_padding."""
    tokenizer_json(truncation={"direction": "Right", "max_length": 6, "strategy": "LongestFirst", "stride": 0},
                   padding={"strategy": {"Fixed": 12}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
                            "pad_type_id": 0, "pad_token": "[PAD]"})(directory)


def no_bias_and_residual(directory):
    """A Dense module whose input is projected and added, without a bias."""
    place = directory / "2_Dense"
    config = json.loads((place / "config.json").read_text())
    config.update(bias=False, use_residual=True, activation_function="torch.nn.modules.activation.SiLU")
    (place / "config.json").write_text(json.dumps(config))
    weight = load_file(place / "model.safetensors")["linear.weight"]
    save_file({"linear.weight": weight, "residual.weight": torch.randn_like(weight)}, place / "model.safetensors")


def copy_to(path):
    """The whole model below, as `0_Transformer` once was, with a stale copy of nothing above."""
    def edit(directory):
        (directory / path).mkdir()
        for file in list(directory.iterdir()):
            if file.is_file() and file.name not in ("modules.json", "config_sentence_transformers.json"):
                shutil.move(str(file), str(directory / path / file.name))
        content = json.loads((directory / "modules.json").read_text())
        content[0]["path"] = path
        (directory / "modules.json").write_text(json.dumps(content))
    return edit


def new_layout(task="feature-extraction", **fields):
    return {"sentence_bert_config.json": {
        "transformer_task": task, "modality_config": {"text": {"method": "forward", "method_output_name": "last_hidden_state"}},
        "module_output_name": "token_embeddings", **fields}}


ACTIVATIONS = ["gelu_new", "gelu_fast", "gelu_pytorch_tanh", "gelu_python", "gelu_accurate", "gelu_python_tanh", "relu", "silu",
               "swish"]
OTHERS = ["quick_gelu", "laplace", "leaky_relu", "linear", "mish", "relu2", "relu6", "sigmoid", "tanh", "prelu"]

ODD = [
    # Sentence vectors: families, layouts and modules.
    row("DistilBERT with modules", head="DistilBertModel", family="distilbert", files=limit(24), modules=[MEAN]),
    row("ELECTRA with modules", head="ElectraModel", family="electra", files=limit(24), modules=[CLS, NORMALIZE]),
    row("sentence-transformers 6, everything stated", files={**new_layout(), **whole(
        __version__={"sentence_transformers": "6.2.0", "transformers": "5.0.0", "pytorch": "2.9.0"}, model_type="SentenceTransformer",
        prompts={"query": "query: ", "document": ""}, default_prompt_name=None, similarity_fn_name="cosine")},
        modules=[("Pooling", {"embedding_dimension": "width", "pooling_mode": "mean", "include_prompt": True}), NORMALIZE]),
    row("several poolings by their new name", files=new_layout(), modules=[
        ("Pooling", {"embedding_dimension": "width", "pooling_mode": ["max", "weightedmean"], "include_prompt": True})], width=32),
    row("weighted mean and last token by flags", modules=[("Pooling", {
        "word_embedding_dimension": "width", "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": False,
        "pooling_mode_weightedmean_tokens": True, "pooling_mode_lasttoken": True})], files=limit(16)),
    row("three poolings", modules=[pooling("cls_token", "max_tokens", "mean_sqrt_len_tokens")], files=limit(16)),
    row("no flag of a pooling", modules=[("Pooling", {"word_embedding_dimension": "width"})], files=limit(16)),
    row("prompt that is not pooled, by default", files={**limit(24), **whole(
        prompts={"query": "query: ", "x": "the cat "}, default_prompt_name="x")},
        modules=[("Pooling", {"word_embedding_dimension": "width", "pooling_mode_mean_tokens": True, "include_prompt": False})]),
    row("fewer dimensions, then a distance", files={**limit(24), **whole(truncate_dim=7, similarity_fn_name="euclidean")},
        modules=[MEAN, NORMALIZE]),
    row("manhattan", files={**limit(24), **whole(similarity_fn_name="manhattan")}, modules=[CLS]),
    row("limit null", files=limit(None), modules=[MEAN], tokenizer={**LOWER, "model_max_length": 20}),
    row("limit beyond the positions", files=limit(100), modules=[MEAN], texts=["The cat sat.", "cat " * 60]),
    row("no sentence_bert_config.json", modules=[MEAN], tokenizer={**LOWER, "model_max_length": 9}),
    row("lower case before a cased tokenizer", words="cased", tokenizer=CASED, files=limit(24, do_lower_case=True), modules=[MEAN]),
    row("Dense without bias, with a residual", files=limit(24), modules=[MEAN, dense(8, "activation.Tanh")],
        edit=no_bias_and_residual),
    row("Dense after Dense", files=limit(24), modules=[MEAN, dense(8, "activation.GELU"), dense(5, "activation.ReLU"), NORMALIZE]),
    row("Normalize twice, Dropout", files=limit(24), modules=[MEAN, NORMALIZE, ("Dropout", {"dropout": 0.3}), NORMALIZE]),
    row("the transformer below", files=limit(24), modules=[MEAN], edit=copy_to("0_Transformer")),
    row("model_args, config_args, tokenizer_args", files=limit(
        24, model_args={"attn_implementation": "eager"}, config_args={}, tokenizer_args={}), modules=[MEAN]),
    row("processing_kwargs", files=new_layout(processing_kwargs={"text": {"padding": True}}), modules=[MEAN],
        refused="processing_kwargs"),
    row("unpad_inputs", files=new_layout(unpad_inputs=True), modules=[MEAN]),
    row("LayerNorm module", files=limit(24), modules=[MEAN, ("LayerNorm", {"dimension": "width"})], refused="LayerNorm"),
    row("WeightedLayerPooling module", files=limit(24), modules=[("WeightedLayerPooling", {
        "embedding_dimension": 16, "num_hidden_layers": 2, "layer_start": 1}), MEAN], refused="WeightedLayerPooling"),
    row("Router module", files=limit(24), modules=[MEAN, ("Router", {})], refused="Router"),
    row("module of somebody's own", files=limit(24), modules=[MEAN], refused="my_package",
        edit=modules(
            ("sentence_transformers.models.Transformer", "", None), ("my_package.Pooling", "1_Pooling", {}))),
    # The tokenizer.
    row("truncation_side left", files=limit(12), modules=[MEAN], refused="truncation_side",
        tokenizer={**LOWER, "truncation_side": "left"}),
    row("padding_side left", files=limit(24), modules=[MEAN], texts=["The cat sat."] * 2, tokenizer={**LOWER, "padding_side": "left"}),
    row("truncation from the left in tokenizer.json", files=limit(12), modules=[MEAN], refused="Left", edit=tokenizer_json(truncation={
        "direction": "Left", "max_length": 6, "strategy": "LongestFirst", "stride": 0})),
    row("types of an only text", modules=[MEAN], files=limit(24), tokenizer={
        "tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]", "unk_token": "[UNK]",
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"]},
        edit=tokenizer_json(post_processor=post_processor([("[CLS]", 1), ("[MASK]", 0), ("A", 1), ("[SEP]", 0)]))),
    row("truncation and padding in tokenizer.json", files=limit(24), modules=[MEAN], edit=truncated_and_padded),
    row("truncation and padding in tokenizer.json, no limit", modules=[MEAN], edit=truncated_and_padded),
    row("split_special_tokens", modules=[MEAN], files=limit(24), tokenizer={**LOWER, "split_special_tokens": True},
        refused="split_special_tokens"),
    row("special tokens of another name", modules=[MEAN], files=limit(24), tokenizer={
        **LOWER, "cls_token": "[unused0]", "sep_token": "[unused1]", "mask_token": "query"}, fast=False),
    row("special tokens of another name beside tokenizer.json", modules=[MEAN], files=limit(24), tokenizer={
        **LOWER, "cls_token": "[unused0]", "sep_token": "[unused1]"}),
    row("special_tokens_map.json alone", modules=[MEAN], fast=False, tokenizer=None, files={**limit(24), "special_tokens_map.json": {
        "unk_token": "[UNK]", "cls_token": {"content": "[unused0]", "lstrip": False, "rstrip": False, "normalized": False,
                                            "single_word": False}, "sep_token": "[SEP]", "pad_token": "[PAD]"}}),
    row("a template of one's own, TokenizersBackend", modules=[MEAN], files=limit(24),
        tokenizer={"tokenizer_class": "TokenizersBackend", "pad_token": "[PAD]", "unk_token": "[UNK]"},
        edit=tokenizer_json(post_processor=post_processor([("[CLS]", 1), ("[MASK]", 0), ("A", 1), ("[SEP]", 0)]))),
    row("a template of one's own, BertTokenizer", modules=[MEAN], files=limit(24), tokenizer={**LOWER, "tokenizer_class": "BertTokenizer"},
        edit=tokenizer_json(post_processor=post_processor([("[CLS]", 1), ("[MASK]", 0), ("A", 1), ("[SEP]", 0)]))),
    row("no template", modules=[MEAN], files=limit(24), tokenizer={"tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": "[PAD]", "unk_token": "[UNK]"}, edit=tokenizer_json(post_processor=None)),
    row("words that were added", modules=[MEAN], files=limit(24), spare=4, texts=[
        "the newword cat", "thenewword", "NEWWORD <e> cat<e> mat", "a good film Spaced Out cat", "x onlyword onlywords"],
        edit=more_words([("newword", "n"), ("<e>", "sl"), ("spaced out", "nr"), ("onlyword", "w")])),
    row("an id of a word that the model does not have", modules=[MEAN], files=limit(24), refused="vocab",
        edit=more_words([("newword", "n")])),
    row("normalizers in a row", modules=[MEAN], files=limit(24), refused="normalizer", tokenizer={"tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": "[PAD]", "unk_token": "[UNK]"}, edit=tokenizer_json(normalizer={"type": "Sequence", "normalizers": [
            {"type": "NFKC"}, {"type": "Lowercase"}]})),
    row("words of twenty letters at most", modules=[MEAN], files=limit(24), tokenizer={
        "tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]", "unk_token": "[UNK]"}, texts=["x" * 21, "x" * 20, "the cat"],
        edit=lambda directory: _edit_model(directory, max_input_chars_per_word=20)),
    row("do_basic_tokenize false", modules=[MEAN], files=limit(24), fast=False, tokenizer={**LOWER, "do_basic_tokenize": False},
        texts=["The cat, sat.", "a good film"]),
    row("extra and additional special tokens", modules=[MEAN], files=limit(24), tokenizer={
        **LOWER, "additional_special_tokens": ["[unused0]"], "extra_special_tokens": {"boi_token": "[unused1]"}},
        texts=["the [unused0] cat", "[unused1] sat", "[UNUSED0]"]),
    # The model.
    row("a single type of tokens", config={"type_vocab_size": 1}, modules=[MEAN], files=limit(24)),
    row("another epsilon", config={"layer_norm_eps": 1e-3}, modules=[MEAN], files=limit(24)),
    row("weights of two kinds", modules=[MEAN], files=limit(24), edit=other_weights_beside),
    row("shards", modules=[MEAN], files=limit(24), edit=shards),
    row("bfloat16", modules=[MEAN], files=limit(24), dtype="bfloat16"),
    row("float64", modules=[MEAN], files=limit(24), dtype="float64"),
    row("gamma and beta", head="BertForMaskedLM", edit=renamed(fine)),
    row("a wrapper's prefix", modules=[MEAN], files=limit(24), edit=renamed(lambda name: "bert." + name)),
    row("switches that change nothing", modules=[MEAN], files=limit(24), config={
        "attn_implementation": "eager", "use_cache": False, "classifier_dropout": 0.3, "chunk_size_feed_forward": 1,
        "output_attentions": True, "output_hidden_states": True, "torchscript": False, "return_dict": True, "pruned_heads": {},
        "is_decoder": False, "add_cross_attention": False, "bos_token_id": None, "eos_token_id": 3}),
    row("BertLMHeadModel", head="BertForMaskedLM", config={"architectures": ["BertLMHeadModel"]}),
    row("a decoder of its own", head="BertForMaskedLM", config={"tie_word_embeddings": False}),
    # Heads.
    row("DistilBERT's masked words", head="DistilBertForMaskedLM", family="distilbert"),
    row("DistilBERT's classes", head="DistilBertForSequenceClassification", family="distilbert", config=labels(["NEGATIVE", "POSITIVE"])),
    row("DistilBERT's entities", head="DistilBertForTokenClassification", family="distilbert", words="cased", tokenizer=CASED,
        config=labels(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])),
    row("ELECTRA's classes", head="ElectraForSequenceClassification", family="electra", config=labels(["a", "b", "c"])),
    row("one label", head="BertForSequenceClassification", config={"num_labels": 1}),
    row("one label, regression", head="BertForSequenceClassification", config={
        "num_labels": 1, "problem_type": "regression", **labels(["score"])}),
    row("three labels, regression", head="BertForSequenceClassification", config={**labels(["x", "y", "z"]), "problem_type": "regression"}),
    row("single_label_classification", head="BertForSequenceClassification", config={
        **labels(["x", "y"]), "problem_type": "single_label_classification"}),
    row("one label, several of a text", head="BertForSequenceClassification", config={
        **labels(["toxic"]), "problem_type": "multi_label_classification"}),
    row("function_to_apply", head="BertForSequenceClassification", config={**labels(["x", "y"]), "function_to_apply": "none"}),
    row("labels out of order", head="BertForSequenceClassification", config={
        "id2label": {"2": "c", "0": "a", "1": "b"}, "label2id": {"a": 0, "b": 1, "c": 2}}),
    row("entities without B and I", head="BertForTokenClassification", words="cased", tokenizer=CASED, config=labels(
        ["O", "PER", "LOC"])),
    row("entities as BIOES", head="BertForTokenClassification", words="cased", tokenizer=CASED, config=labels(
        ["O", "B-PER", "I-PER", "E-PER", "S-PER"])),
    row("no label O", head="BertForTokenClassification", words="cased", tokenizer=CASED, config=labels(["LABEL_0", "LABEL_1"])),
    row("ELECTRA's entities", head="ElectraForTokenClassification", family="electra", config=labels(["O", "B-X", "I-X"])),
] + [row(f"hidden_act {name}", config={"hidden_act": name}, modules=[MEAN], files=limit(24)) for name in ACTIVATIONS] + [
    row(f"hidden_act {name}", config={"hidden_act": name}, modules=[MEAN], files=limit(24), refused="hidden_act") for name in OTHERS]
RANKERS = [
    row("ranker by Tanh", head="BertForSequenceClassification", config={"num_labels": 1, "sentence_transformers":
        {"activation_fn": "torch.nn.modules.activation.Tanh", "version": "5.1.0"}}),
    row("ranker by Sigmoid", head="BertForSequenceClassification", config={"num_labels": 1, "sentence_transformers":
        {"activation_fn": "torch.nn.modules.activation.Sigmoid", "version": "5.1.0"}}),
    row("ranker by ReLU", head="BertForSequenceClassification", config={"num_labels": 1, "sentence_transformers":
        {"activation_fn": "torch.nn.modules.activation.ReLU", "version": "5.1.0"}}),
    row("ranker of short texts", head="BertForSequenceClassification", config={"num_labels": 1},
        tokenizer={**LOWER, "model_max_length": 12}),
    row("ranker whose tokenizer gives no types", head="BertForSequenceClassification", config={"num_labels": 1},
        tokenizer={**LOWER, "model_input_names": ["input_ids", "attention_mask"]}),
    row("ranker with DistilBertTokenizer", head="BertForSequenceClassification", config={"num_labels": 1},
        tokenizer={**LOWER, "tokenizer_class": "DistilBertTokenizer"}),
    row("ranker with TokenizersBackend", head="BertForSequenceClassification", config={"num_labels": 1}, tokenizer={
        "tokenizer_class": "TokenizersBackend", "pad_token": "[PAD]", "unk_token": "[UNK]", "model_max_length": 64}),
    row("ranker with PreTrainedTokenizerFast and types", head="BertForSequenceClassification", config={"num_labels": 1}, tokenizer={
        "tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]", "unk_token": "[UNK]", "model_max_length": 64,
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"]}),
    row("ranker of DistilBERT", head="DistilBertForSequenceClassification", family="distilbert", config={"num_labels": 1}),
    row("ranker of ELECTRA", head="ElectraForSequenceClassification", family="electra", config={"num_labels": 1}),
    row("ranker with settings that nothing reads", head="BertForSequenceClassification", config={"num_labels": 1}, files=whole(
        model_type="CrossEncoder", prompts={"q": "query: "}, default_prompt_name="q",
        activation_fn="torch.nn.modules.linear.Identity")),
]


def _edit_model(directory, **fields):
    path = directory / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    tokenizer["model"].update(fields)
    path.write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
