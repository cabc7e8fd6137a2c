#!/usr/bin/env python3
"""Fine-tuning compared: `cloze finetune` and transformers' Trainer, same data, same settings.

    bench/compare_finetune.py peer  --task sst2 --seeds 1 2 3     # their dev results (slow, cached)
    bench/compare_finetune.py cloze --task sst2 --seeds 1 2 3     # ours
    bench/compare_finetune.py time  --task sst2                   # wall time of both, now, in turn
    bench/compare_finetune.py show                                # the table of what is cached
    bench/compare_finetune.py path  --task mrpc                   # both, without chance, epoch by epoch

Tasks: sst2 (accuracy), mrpc (the last 408 pairs are the dev set; accuracy and F1), conll (entity F1).
Settings of both: batch 32, 3 epochs, learning rate 5e-5, 10 % warm-up, linear to 0, weight decay
0.01, clip 1.0, dropout 0.1, at most 128 tokens, bf16, 2 threads, an evaluation after each epoch,
the best epoch's model counts. The peer pads each batch to its longest (DataCollatorWithPadding,
DataCollatorForTokenClassification), as its users do. `time` measures the peer on some steps and one evaluation and
multiplies; Cloze's command is timed whole. Results are kept as JSON in --results.
`path` takes all chance away: one model with its head for both, no dropout, and so few examples that all
are one batch. What is left must go the same way: the training and dev losses of each epoch are compared.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EPOCHS, BATCH, RATE, WARMUP, DECAY, LENGTH = 3, 32, 5e-5, 0.1, 0.01, 128
METRIC = {"sst2": "accuracy", "mrpc": "f1", "conll": "f1"}


# ---- Data ------------------------------------------------------------------------------------


def lines_of(path):
    return path.read_text(encoding="utf-8").split("\n")


def sentences(path):
    """SST-2: (text, None, label) a line."""
    rows = [line.rsplit("\t", 1) for line in lines_of(path) if line]
    return [(text, None, label) for text, label in rows]


def pairs(path):
    """MRPC: (first, second, label)."""
    rows = [line.rstrip("\r").split("\t") for line in lines_of(path)[1:] if line]
    return [(row[3], row[4], row[0]) for row in rows]


def entities(path):
    """CoNLL-2003 as (words, IOB2 tags); its files have IOB1."""
    found, words, tags = [], [], []
    for line in lines_of(path) + [""]:
        fields = line.split()
        if not fields or fields[0] == "-DOCSTART-":
            if words:
                found.append((words, tags))
            words, tags = [], []
            continue
        tag, before = fields[-1], tags[-1] if tags else "O"
        if tag.startswith("I-") and before[2:] != tag[2:]:
            tag = "B-" + tag[2:]
        words.append(fields[0])
        tags.append(tag)
    return found


def examples(task, data):
    if task == "sst2":
        return sentences(data / "sst2.train.tsv"), sentences(data / "sst2.dev.tsv")
    if task == "mrpc":
        rows = pairs(data / "mrpc.train.tsv")
        return rows[:-408], rows[-408:]
    return entities(data / "conll2003.train"), entities(data / "conll2003.dev")


# ---- The peer --------------------------------------------------------------------------------


def peer_trainer(task, data, model, seed, threads, steps, directory):
    import numpy
    import torch
    import transformers

    torch.set_num_threads(threads)
    transformers.logging.set_verbosity_error()
    transformers.set_seed(seed)
    train, dev = examples(task, data)
    tokenizer = transformers.AutoTokenizer.from_pretrained(model, model_max_length=LENGTH)
    labels = (
        sorted({tag for _, tags in train for tag in tags})
        if task == "conll"
        else sorted({row[2] for row in train})
    )
    number = {label: index for index, label in enumerate(labels)}
    names = dict(enumerate(labels))
    kind = (
        transformers.AutoModelForTokenClassification
        if task == "conll"
        else transformers.AutoModelForSequenceClassification
    )
    network = kind.from_pretrained(model, num_labels=len(labels), id2label=names, label2id=number)

    def encoded(rows):
        if task != "conll":
            out = tokenizer(
                [row[0] for row in rows],
                [row[1] for row in rows] if rows[0][1] is not None else None,
                truncation=True,
                max_length=LENGTH,
            )
            out["labels"] = [number[row[2]] for row in rows]
        else:
            out = tokenizer(
                [row[0] for row in rows],
                is_split_into_words=True,
                truncation=True,
                max_length=LENGTH,
            )
            out["labels"] = []
            for index, (_, tags) in enumerate(rows):
                ids, last = [], None
                for word in out.word_ids(index):
                    ids.append(-100 if word is None or word == last else number[tags[word]])
                    last = word
                out["labels"].append(ids)
        return [{key: out[key][i] for key in out} for i in range(len(rows))]

    def metrics(prediction):
        best = prediction.predictions.argmax(-1)
        if task == "conll":
            from seqeval.metrics import f1_score

            rows = zip(prediction.label_ids, best)
            pairs_of = [[(names[t], names[p]) for t, p in zip(*row) if t != -100] for row in rows]
            true = [[t for t, _ in row] for row in pairs_of]
            guess = [[p for _, p in row] for row in pairs_of]
            return {"f1": float(f1_score(true, guess))}
        from sklearn.metrics import f1_score

        right = float(numpy.mean(best == prediction.label_ids))
        return {"accuracy": right, "f1": float(f1_score(prediction.label_ids, best))}

    collate = (
        transformers.DataCollatorForTokenClassification(tokenizer)
        if task == "conll"
        else transformers.DataCollatorWithPadding(tokenizer)
    )
    arguments = transformers.TrainingArguments(
        output_dir=directory,
        use_cpu=True,
        bf16=True,
        per_device_train_batch_size=BATCH,
        per_device_eval_batch_size=BATCH,
        num_train_epochs=EPOCHS,
        max_steps=steps or -1,
        learning_rate=RATE,
        warmup_steps=round(WARMUP * EPOCHS * -(-len(train) // BATCH)),
        weight_decay=DECAY,
        max_grad_norm=1.0,
        lr_scheduler_type="linear",
        seed=seed,
        logging_steps=50,
        eval_strategy="no" if steps else "epoch",
        save_strategy="no" if steps else "epoch",
        save_total_limit=1,
        load_best_model_at_end=not steps,
        metric_for_best_model=METRIC[task],
        report_to=[],
        disable_tqdm=True,
    )
    ticks = []

    class Clock(transformers.TrainerCallback):
        def on_step_begin(self, *_, **__):
            ticks.append(time.perf_counter())

    return (
        transformers.Trainer(
            model=network,
            args=arguments,
            train_dataset=encoded(train),
            eval_dataset=encoded(dev),
            data_collator=collate,
            compute_metrics=metrics,
            callbacks=[Clock()],
        ),
        ticks,
        len(train),
    )


def peer_result(options, task, seed):
    with tempfile.TemporaryDirectory() as directory:
        trainer, _, _ = peer_trainer(
            task, options.data, options.model, seed, options.threads, 0, directory
        )
        start = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - start
        history = [
            {key.removeprefix("eval_"): value for key, value in entry.items()}
            for entry in trainer.state.log_history
            if "eval_loss" in entry
        ]
    best = max(history, key=lambda entry: entry[METRIC[task]])
    return {"best": best, "history": history, "seconds_under_load": seconds}


def peer_time(options, task):
    """Seconds of a step and of an evaluation, and what they make of the whole."""
    with tempfile.TemporaryDirectory() as directory:
        trainer, ticks, size = peer_trainer(
            task, options.data, options.model, 1, options.threads, options.steps, directory
        )
        trainer.train()
        start = time.perf_counter()
        trainer.evaluate()
        evaluation = time.perf_counter() - start
    warm = 5  # steps in which everything is made for the first time
    step = (ticks[-1] - ticks[warm]) / (len(ticks) - 1 - warm)
    steps = EPOCHS * -(-size // BATCH)
    return {
        "step": step,
        "evaluation": evaluation,
        "steps": steps,
        "seconds": steps * step + EPOCHS * evaluation,
    }


# ---- Cloze -----------------------------------------------------------------------------------


def write_table(file, rows):
    """Texts, or pairs of texts, and their labels as a TSV file."""
    names = ["label", "sentence1", "sentence2"]
    table = [[label, first] + ([second] if second is not None else []) for first, second, label in rows]
    lines = [names[: len(table[0])], *table]
    file.write_text("".join("\t".join(line) + "\n" for line in lines), encoding="utf-8")
    return file


def cloze_files(task, data, directory):
    """The same examples as files: SST-2's and CoNLL's own, MRPC's divided."""
    if task == "sst2":
        return data / "sst2.train.tsv", data / "sst2.dev.tsv"
    if task == "conll":
        return data / "conll2003.train", data / "conll2003.dev"
    files = []
    for name, rows in zip(("train", "dev"), examples(task, data)):
        files.append(write_table(Path(directory) / f"mrpc.{name}.tsv", rows))
    return files


def run_cloze(command):
    """What the command prints as JSON."""
    command = [str(part) for part in command]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return json.loads(done.stdout)


def cloze_result(options, task, seed):
    with tempfile.TemporaryDirectory() as directory:
        train, dev = cloze_files(task, options.data, directory)
        command = [options.cloze, "finetune", "--json", "--model", options.model]
        command += ["--task", "token-classification" if task == "conll" else "text-classification"]
        command += ["--train", train, "--dev", dev, "--output", Path(directory) / "run"]
        command += ["--threads", options.threads, "--seed", seed]
        if not options.defaults:
            command += ["--epochs", EPOCHS, "--batch-size", BATCH, "--learning-rate", RATE]
            command += ["--warmup", WARMUP, "--weight-decay", DECAY, "--max-length", LENGTH]
            command += ["--best-metric", METRIC[task]]
            if task == "conll":
                command += ["--no-document-context"]
        command += options.extra.split()
        start = time.perf_counter()
        result = run_cloze(command)
        seconds = time.perf_counter() - start
    return {"best": result["metrics"], "seconds": seconds, "command": result}


# ---- The same way? ---------------------------------------------------------------------------

PATH_BATCH, PATH_DEV, PATH_EPOCHS, PATH_WARMUP = 96, 128, 16, 2


def peer_path(rows, dev, model, bf16, threads):
    """Training and dev losses of each epoch, of one batch, in f32 or under bf16 autocast."""
    import torch
    import transformers

    torch.set_num_threads(threads)
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    network = transformers.AutoModelForSequenceClassification.from_pretrained(model)

    def batch(examples):
        first = [example[0] for example in examples]
        second = [example[1] for example in examples] if examples[0][1] is not None else None
        encoded = tokenizer(
            first, second, truncation=True, max_length=LENGTH, padding=True, return_tensors="pt"
        )
        return encoded, torch.tensor([int(example[2]) for example in examples])

    plain = ("bias", "LayerNorm.weight")
    decayed = [p for name, p in network.named_parameters() if not name.endswith(plain)]
    others = [p for name, p in network.named_parameters() if name.endswith(plain)]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}],
        lr=RATE,
    )
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, PATH_WARMUP, PATH_EPOCHS)
    network.train()  # every dropout is 0
    batches = ((batch(rows), True), (batch(dev), False))
    found = []
    for _ in range(PATH_EPOCHS):
        losses = []
        for (encoded, labels), learn in batches:
            with torch.set_grad_enabled(learn), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                loss = network(**encoded, labels=labels).loss
            losses.append(loss.item())
            if learn:
                loss.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
        found.append(losses)
    return found


def cloze_path(options, rows, dev, model, dtype, directory):
    directory = Path(directory)
    train = write_table(directory / "train.tsv", rows)
    dev = write_table(directory / "dev.tsv", dev)
    command = [options.cloze, "finetune", "--json", "--model", model, "--task", "text-classification"]
    command += ["--train", train, "--dev", dev, "--output", directory / f"run-{dtype}"]
    command += ["--threads", options.threads, "--epochs", PATH_EPOCHS, "--batch-size", PATH_BATCH]
    command += ["--learning-rate", RATE, "--warmup", PATH_WARMUP, "--weight-decay", DECAY]
    command += ["--max-length", LENGTH, "--dtype", dtype]
    return [[entry["train_loss"], entry["loss"]] for entry in run_cloze(command)["history"]]


def compare_paths(options):
    import transformers

    for task in options.task:
        if task == "conll":
            print("conll: not a task of whole texts, left out")
            continue
        train, dev = examples(task, options.data)
        rows, dev = train[:PATH_BATCH], dev[:PATH_DEV]
        with tempfile.TemporaryDirectory() as directory:
            model = Path(directory) / "model"
            transformers.set_seed(options.seeds[0])
            transformers.AutoModelForSequenceClassification.from_pretrained(
                options.model,
                num_labels=2,
                id2label={0: "0", 1: "1"},
                label2id={"0": 0, "1": 1},
                hidden_dropout_prob=0.0,
                attention_probs_dropout_prob=0.0,
            ).save_pretrained(model)
            transformers.AutoTokenizer.from_pretrained(options.model).save_pretrained(model)
            for dtype in ("f32", "bf16"):
                theirs = peer_path(rows, dev, model, dtype == "bf16", options.threads)
                ours = cloze_path(options, rows, dev, model, dtype, directory)
                for name, side in (("training", 0), ("dev", 1)):
                    pairs_of = [(t[side], o[side]) for t, o in zip(theirs, ours)]
                    worst = max(abs(t - o) / t for t, o in pairs_of)
                    print(
                        f"{task} {dtype} {name:8} loss: transformers {pairs_of[0][0]:.5f} to "
                        f"{pairs_of[-1][0]:.5f}, cloze {pairs_of[0][1]:.5f} to {pairs_of[-1][1]:.5f}; "
                        f"furthest apart {worst:.1e} of it in {PATH_EPOCHS} steps",
                        flush=True,
                    )


# ---- Results ---------------------------------------------------------------------------------


def kept(options, side, task, seed):
    return options.results / f"{side}-{task}-{seed}.json"


def run_seeds(options, side, one):
    options.results.mkdir(parents=True, exist_ok=True)
    for task in options.task:
        for seed in options.seeds:
            file = kept(options, side, task, seed)
            if file.exists() and not options.again:
                continue
            result = one(options, task, seed)
            file.write_text(json.dumps(result, indent=1))
            print(side, task, "seed", seed, json.dumps(result["best"]), flush=True)


def show(options):
    for task in METRIC:
        for side in ("peer", "cloze", "defaults"):
            files = sorted(options.results.glob(f"{side}-{task}-*.json"))
            if not files:
                continue
            found = [json.loads(file.read_text())["best"] for file in files]
            for metric in ("accuracy", "f1") if task == "mrpc" else (METRIC[task],):
                values = [100 * result[metric] for result in found]
                print(
                    f"{task:6} {metric:9} {side:9} mean {statistics.mean(values):6.2f}  "
                    f"of {', '.join(f'{value:.2f}' for value in values)}"
                )


def race(options):
    for task in options.task:
        theirs = peer_time(options, task)
        ours = cloze_result(options, task, 1)
        print(
            f"{task}: peer {theirs['seconds']:.1f} s ({theirs['steps']} steps of "
            f"{1000 * theirs['step']:.0f} ms, {EPOCHS} evaluations of {theirs['evaluation']:.1f} s); "
            f"cloze {ours['seconds']:.1f} s, the whole command; "
            f"ratio {theirs['seconds'] / ours['seconds']:.2f}"
        )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["peer", "cloze", "time", "show", "path"])
    parser.add_argument("--task", nargs="+", choices=list(METRIC), default=list(METRIC))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--data", type=Path, default=os.environ.get("CLOZE_TEST_DATA"))
    parser.add_argument("--model", default=str(Path.home() / ".cache/cloze/all-MiniLM-L6-v2"))
    parser.add_argument("--cloze", default="build/release/cloze")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=35, help="of the peer's, to be timed")
    parser.add_argument("--results", type=Path, default=Path("build/finetune-results"))
    parser.add_argument("--again", action="store_true", help="do not use cached results")
    parser.add_argument("--defaults", action="store_true", help="Cloze with its own defaults")
    parser.add_argument("--extra", default="", help="more options for cloze finetune")
    options = parser.parse_args()
    if options.data is not None:
        options.data = Path(options.data)
    elif options.what != "show":
        parser.error("--data (or CLOZE_TEST_DATA) must name the folder of the data sets")
    if options.what == "peer":
        run_seeds(options, "peer", peer_result)
    elif options.what == "cloze":
        run_seeds(options, "defaults" if options.defaults else "cloze", cloze_result)
    elif options.what == "time":
        race(options)
    elif options.what == "path":
        compare_paths(options)
    else:
        show(options)


if __name__ == "__main__":
    main()
