#!/usr/bin/env python3
"""Holds Cloze against transformers and sentence-transformers on every kind of checkpoint that people have.

    python3 tests/conformance/checkpoints.py [--cloze build/release/cloze] [--seed 1] [--only NAME]

Needs sentence-transformers (6.x) with PyTorch; without them it says so and ends with 77, which means "skipped". Each
row of checkpoint_rows.py and odd_rows.py becomes a directory with a small model of random weights. Vectors, probabilities of masked
words, labels, entities and answers must equal the reference's to 1e-5 (of their size), in the same run; a row that is
no BERT must be refused by its name.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

os.environ.update(TRANSFORMERS_VERBOSITY="error", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false",
                  CUDA_VISIBLE_DEVICES="")
try:
    import logging
    import torch
    import transformers
    from safetensors.torch import save_file
    from sentence_transformers import CrossEncoder, SentenceTransformer
    from transformers import AutoTokenizer, BertConfig, BertTokenizerFast, pipeline
    from transformers.utils.logging import disable_progress_bar
except ImportError as error:
    print(f"skipped: {error}; install sentence-transformers and torch in an environment of your own")
    sys.exit(77)
import checkpoint_rows as rows
import odd_rows

logging.disable(logging.WARNING)
disable_progress_bar()
TOLERANCE = 1e-5
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


class Differs(Exception):
    """What is not as the reference has it."""


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def vocabulary(words):
    """Special tokens, some unused ones, the words, and letters at the beginning and inside of words."""
    stated, letters = rows.WORDS[words]
    tokens = [*SPECIAL, "[unused0]", "[unused1]", *stated, *letters, *("##" + letter for letter in letters)]
    return list(dict.fromkeys(tokens))


def write_unigram(directory, config):
    """A SentencePiece model's tokenizer.json with XLM-RoBERTa's template, as transformers writes it."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -3.0)]
    words = ["▁the", "▁cat", "▁query", "▁Film", "s", "t", "天气", "很好", "한국", "어", "▁영화", "schön", "ein", ":", ".", "。", "हि",
             "न", "्दी", "1", "2", "3"]
    pieces += [(word, -4.0 - i / 7) for i, word in enumerate(words)]
    pieces += [(letter, -9.0 - i / 9) for i, letter in enumerate("aehimnoquryTF今天영화하") if letter not in words]
    pieces += [("<mask>", 0.0)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    tokenizer.save(str(directory / "tokenizer.json"))
    write(directory / "tokenizer_config.json", {
        **config, "bos_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "cls_token": "<s>", "unk_token": "<unk>",
        "pad_token": "<pad>", "mask_token": "<mask>"})
    return len(pieces)


def write_tokenizer(directory, row):
    """The tokenizer's files; how many tokens it has."""
    if row["words"] == "multilingual":
        return write_unigram(directory, row["tokenizer"])
    tokens = vocabulary(row["words"])
    (directory / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    if row["fast"]:
        stated = {name: value for name, value in (row["tokenizer"] or {}).items()
                  if name in ("do_lower_case", "strip_accents", "tokenize_chinese_chars")}
        fast = BertTokenizerFast({token: i for i, token in enumerate(tokens)}, **stated)
        fast.backend_tokenizer.save(str(directory / "tokenizer.json"))
    if row["tokenizer"] is not None:
        write(directory / "tokenizer_config.json", row["tokenizer"])
    return len(tokens)


def write_model(directory, row, tokens):
    """config.json and the weights."""
    fields = {name: value for name, value in row["config"].items() if value is not rows.ABSENT}
    sizes = dict(vocab_size=tokens + row.get("spare", 0), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
                 intermediate_size=32, max_position_embeddings=64, initializer_range=0.3)
    known = {name: fields[name] for name in ("hidden_act", "max_position_embeddings", "layer_norm_eps", "num_labels",
                                             "id2label", "label2id", "problem_type", "type_vocab_size", "tie_word_embeddings")
             if name in fields}
    config = {"bert": BertConfig, "distilbert": transformers.DistilBertConfig, "electra": transformers.ElectraConfig}[
        row.get("family", "bert")](**{**sizes, **known})
    if row.get("family") == "electra":
        config.embedding_size = 12
    if row.get("family") == "distilbert":  # its own names
        config.hidden_dim = 32
    if row["words"] == "multilingual":
        config.pad_token_id = 1
    model = getattr(transformers, row["head"])(config)
    for name, parameter in model.named_parameters():  # transformers makes biases and LayerNorms plain
        if parameter.dim() == 1:
            parameter.data += torch.randn_like(parameter) * 0.1
    stated = {**json.loads(config.to_json_string()), "architectures": [row["head"]], **fields}
    for name, value in row["config"].items():
        if value is rows.ABSENT:
            stated.pop(name, None)
    if "num_labels" in fields and "id2label" not in fields:  # to_json_string has LABEL_0, ...
        stated.pop("num_labels")
    stated["dtype"] = row["dtype"]
    write(directory / "config.json", stated)
    tensors = {name: value.to(getattr(torch, row["dtype"])).contiguous() for name, value in model.state_dict().items()
               if row.get("pooler", True) or ".pooler." not in "." + name}
    for name in row.get("tensors", ()):
        tensors[name] = torch.randn(3, 3)
    if row["weights"] == "bin":
        tensors["bert.embeddings.position_ids" if any(n.startswith("bert.") for n in tensors)
                else "embeddings.position_ids"] = torch.arange(config.max_position_embeddings)[None]
        torch.save(tensors, directory / "pytorch_model.bin")
    else:  # a tied decoder is stored once
        tied = {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias", "vocab_projector.weight"}
        if not config.tie_word_embeddings:
            tied = set()
        save_file({name: value.clone() for name, value in tensors.items() if name not in tied},
                  directory / "model.safetensors", metadata={"format": "pt"})


def write_modules(directory, row, rng):
    """modules.json and the folders that it names."""
    listed, width = [("Transformer", row.get("folder", ""))], 16
    for kind, config in row["modules"]:
        path = f"{len(listed)}_{kind}"
        config = {name: width if value == "width" else value for name, value in config.items()}
        write(directory / path / "config.json", config)
        if kind == "Dense":
            outputs = config["out_features"]
            save_file({"linear.weight": torch.randn(outputs, width) / 3, "linear.bias": torch.randn(outputs) / 9},
                      directory / path / "model.safetensors")
            width = outputs
        listed.append((kind, path))
    prefix = rng.choice([rows.OLD, "sentence_transformers.sentence_transformer.modules."])
    write(directory / "modules.json", [{"idx": i, "name": str(i), "path": path, "type": prefix + kind}
                                       for i, (kind, path) in enumerate(listed)])


def make(folder, row, rng):
    inner = folder / row.get("folder", "")
    inner.mkdir(parents=True, exist_ok=True)
    write_model(inner, row, write_tokenizer(inner, row))
    for name, content in row["files"].items():
        write((folder if name == "config_sentence_transformers.json" else inner) / name, content)
    if row["modules"] is not None:
        write_modules(folder, row, rng)
    if "edit" in row:
        row["edit"](folder)


class Check:
    """One directory, computed by both."""

    def __init__(self, cloze, directory, row):
        self.cloze, self.directory, self.row = cloze, directory, row
        self.texts = row.get("texts", rows.TEXTS[row["words"]])

    def run(self, command, *words, text=""):
        done = subprocess.run([self.cloze, command, "--model", self.directory, "--json", "--threads", "1",
                               *map(str, words)], input=text, capture_output=True, text=True)
        if done.returncode != 0:
            raise Differs(f"{command}: {done.stderr.strip()}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def near(self, what, ours, theirs):
        ours, theirs = torch.tensor(ours, dtype=torch.float64), torch.tensor(theirs, dtype=torch.float64)
        if ours.shape != theirs.shape:
            raise Differs(f"{what}: shape {tuple(ours.shape)} instead of {tuple(theirs.shape)}")
        if not theirs.numel():
            return
        gap = (ours - theirs).abs().max() / max(1.0, theirs.abs().max())
        if not gap <= TOLERANCE:
            raise Differs(f"{what}: {ours.flatten()[:4]} instead of {theirs.flatten()[:4]}")

    def model(self, kind):
        return getattr(transformers, kind).from_pretrained(self.directory, dtype=torch.float32).eval()

    def head(self):
        """The model with the head that its row names; of a pre-trained one the masked words'."""
        return self.model(self.row["head"].replace("ForPreTraining", "ForMaskedLM"))

    def tokenizer(self):
        unstated = self.row["config"].get("model_type") is rows.ABSENT  # AutoTokenizer needs to know the model
        return (BertTokenizerFast if unstated else AutoTokenizer).from_pretrained(self.directory)

    def refused(self):
        done = subprocess.run([self.cloze, "encode", "--model", self.directory, "a"], capture_output=True, text=True)
        if done.returncode != 1 or self.row["refused"] not in done.stderr or len(done.stderr.splitlines()) != 1:
            raise Differs(f"not refused by {self.row['refused']}: code {done.returncode} {done.stderr.strip()}")

    def vectors(self):
        options = self.row["options"]
        call = {"--prompt": "prompt", "--prompt-name": "prompt_name", "--dimensions": "truncate_dim"}
        named = {call[o]: v for o, v in zip(options[::2], options[1::2]) if o in call}
        if "truncate_dim" in named:
            named["truncate_dim"] = int(named["truncate_dim"])
        reference = SentenceTransformer(str(self.directory), device="cpu", model_kwargs={"dtype": torch.float32})
        if "--pooling" in options:  # README has it, not the directory
            from sentence_transformers.sentence_transformer.modules import Pooling
            reference[1] = Pooling(16, pooling_mode=options[1])
        theirs = reference.encode(self.texts, **named)
        if self.row["modules"] is None and "--pooling" not in options:
            options = ["--pooling", "mean"]
        ours = self.run("encode", "--truncate", *options, text="".join(text + "\n" for text in self.texts))
        self.near("encode", [line["embedding"] for line in ours], theirs)
        pair = self.texts[:2]
        score = float(reference.similarity(*reference.encode(pair, **named)))
        if "--pooling" not in options:
            found = self.run("similarity", "--truncate", *options, "\t".join(pair))
            self.near("similarity", [found[0]["score"]], [score])

    def ranking(self):
        reference = CrossEncoder(str(self.directory), device="cpu", model_kwargs={"dtype": torch.float32})
        theirs = reference.predict([(self.texts[0], text) for text in self.texts])
        ours = self.run("rank", "--truncate", "--query", self.texts[0], text="".join(t + "\n" for t in self.texts))
        self.near("rank", [each["score"] for each in sorted(ours, key=lambda each: each["index"])], theirs)

    def masked(self):
        model, tokenizer = self.head(), self.tokenizer()
        for text in self.texts:
            words = text.split(" ")[:20]
            words[len(words) // 2] = "[MASK]"
            text = " ".join(words)
            inputs = tokenizer(text, return_tensors="pt", truncation=True, max_length=64)
            logits = model(**inputs).logits[inputs["input_ids"] == tokenizer.mask_token_id][0]
            # transformers offers rows without a word as "", Cloze does not; the softmax is over all.
            scores, ids = logits.softmax(-1)[:len(tokenizer)].topk(5)
            ours = self.run("fill-mask", "--truncate", "--top-k", 5, text)[0]["masks"][0]["predictions"]
            self.near(f"fill-mask {text[:30]!r}", [each["score"] for each in ours], scores.tolist())
            for each, token in zip(ours, ids.tolist()):
                if each["id"] != token and abs(logits[each["id"]] - logits[token]) > 1e-4:
                    raise Differs(f"fill-mask {text[:30]!r}: {each}, not {token}")

    def classes(self):
        answer = pipeline("text-classification", model=self.head(),
                          tokenizer=self.tokenizer(), top_k=None, device="cpu")
        theirs = answer(self.texts, truncation=True, max_length=64)
        ours = self.run("classify", "--all", "--truncate", text="".join(text + "\n" for text in self.texts))
        for text, mine, other in zip(self.texts, ours, theirs, strict=True):
            other = {each["label"]: each["score"] for each in other}
            mine = {each["label"]: each["score"] for each in mine["labels"]}
            if mine.keys() != other.keys():
                raise Differs(f"classify: labels {sorted(mine)} instead of {sorted(other)}")
            self.near(f"classify {text[:30]!r}", [mine[label] for label in other], list(other.values()))

    def entities(self):
        tag = pipeline("token-classification", model=self.head(),
                       tokenizer=self.tokenizer(), aggregation_strategy="simple", device="cpu")
        for text in [text for text in self.texts if len(text) < 90]:
            theirs = tag(text)
            ours = self.run("tag", "--aggregation", "simple", text)[0]["entities"]
            spans = [[(e["start"], e["end"], e[name]) for e in found] for found, name in
                     ((ours, "label"), (theirs, "entity_group"))]
            if spans[0] != spans[1]:
                raise Differs(f"tag {text!r}: {spans[0]} instead of {spans[1]}")
            self.near(f"tag {text!r}", [e["score"] for e in ours], [float(e["score"]) for e in theirs])

    def answers(self):
        """The best span of at most 30 tokens of the context: the product of both softmaxes, as the pipeline has it."""
        model, tokenizer = self.head(), self.tokenizer()
        question, context = self.texts[2], self.texts[0]
        inputs = tokenizer(question, context, return_tensors="pt", return_offsets_mapping=True)
        offsets = inputs.pop("offset_mapping")[0].tolist()
        output = model(**inputs)
        inside = torch.tensor([part == 1 for part in inputs.sequence_ids(0)])
        inside[0] = True  # [CLS] counts in the softmax, and is no answer
        start, end = (torch.where(inside, logits[0], -1e4).softmax(-1) for logits in
                      (output.start_logits, output.end_logits))
        start[0] = end[0] = 0
        scores = torch.triu(start[:, None] * end[None, :]).tril(29)
        first, last = divmod(int(scores.argmax()), scores.shape[1])
        ours = self.run("answer", "--question", question, context)[0]["answers"][0]
        self.near("answer", [ours["score"]], [float(scores.max())])
        if [ours["start"], ours["end"]] != [offsets[first][0], offsets[last][1]]:
            raise Differs(f"answer: {ours} instead of {offsets[first]} to {offsets[last]}")

    def described(self):
        """`cloze info` reads every directory that is not refused."""
        done = subprocess.run([self.cloze, "info", "--json", "--model", self.directory], capture_output=True, text=True)
        if done.returncode != 0:
            raise Differs(f"info: {done.stderr.strip()}")
        json.loads(done.stdout)

    def all(self):
        if self.row["refused"]:
            return self.refused()
        self.described()
        if self.row in rows.RERANKERS + odd_rows.RANKERS:
            return self.ranking()
        checks = {"Model": self.vectors, "ForMaskedLM": self.masked, "ForPreTraining": self.masked,
                  "ForSequenceClassification": self.classes, "ForTokenClassification": self.entities,
                  "ForQuestionAnswering": self.answers}
        return next(check for head, check in checks.items() if self.row["head"].endswith(head))()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cloze", default="build/release/cloze")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="the rows whose name holds this")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    rng = random.Random(arguments.seed)
    equal = refused = 0
    wrong = []
    with tempfile.TemporaryDirectory() as name, torch.no_grad():
        for number, row in enumerate(rows.ROWS + odd_rows.ODD + odd_rows.RANKERS):
            if arguments.only not in row["name"]:
                continue
            directory = pathlib.Path(name) / f"row{number}"
            make(directory, row, rng)
            try:
                Check(arguments.cloze, directory, row).all()
                refused += row["refused"] is not None
                equal += row["refused"] is None
            except Differs as difference:
                wrong.append(f"{row['name']}: {difference}")
            except (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:  # transformers itself
                wrong.append(f"{row['name']}: the reference fails: {error!r}")
            shutil.rmtree(directory)
    print("\n".join(wrong))
    print(f"seed {arguments.seed}: {equal} rows equal, {refused} refused, {len(wrong)} differ")
    sys.exit(1 if wrong or equal + refused == 0 else 0)


main()
