"""The checkpoints that people have, a row each: what makes a directory of this kind differ from the plainest BERT.

checkpoints.py builds every row as a small model with random weights. A row has

    name          the checkpoint, or several of the same form
    head          transformers' class
    config        fields of config.json beside the sizes; a value of ABSENT takes a field away
    words         the vocabulary and the texts (WORDS, TEXTS)
    tokenizer     tokenizer_config.json; None for no such file
    fast          whether there is a tokenizer.json
    files         further files, as JSON
    modules       what modules.json lists after the Transformer; None for no modules.json
    weights       "safetensors", or "bin" for pytorch_model.bin
    dtype         of the tensors
    options       of `cloze`, for what a user must say
    refused       the word by which Cloze must refuse the directory, instead of equal numbers
"""

ABSENT = object()

LATIN = "abcdefghijklmnopqrstuvwxyz"
WORDS = {
    "english": (["the", "cat", "sat", "on", "mat", "a", "good", "film", "who", "was", "in", "paris", ".", ",", "?", ":",
                 "query", "cafe", "un", "##related", "1", "##2"], LATIN),
    "cased": (["The", "the", "cat", "Cat", "sat", "on", "mat", "a", "Good", "film", "Who", "was", "in", "Paris", ".", ",",
               "?", ":", "query", "Café", "un", "##related", "1", "##2"], LATIN + LATIN.upper() + "é"),
    "chinese": (list("今天气很好我们去看电影中国北京的人。,?") + ["good", "##film"], LATIN + "的好"),
    "korean": (["영화", "##가", "정말", "좋", "##다", ".", "한국", "##어", "a"], LATIN + "한국어좋은"),
    "arabic": (["كتاب", "##ها", "جميل", "هذا", ".", "ال", "##فيلم", "[رابط]"], "ابتثجحخدذرزسشصضطظعغفقكلمنهوي"),
    "german": (["Der", "der", "Film", "film", "war", "schön", "Schön", "schon", "gro", "##ß", ".", "Über", "über"],
               LATIN + LATIN.upper() + "äöüßÄÖÜ"),
    "greek": (["η", "ταινια", "ειναι", "καλη", ".", "##ς"], "αβγδεζηθικλμνξοπρσςτυφχψω"),
    "russian": (["Фильм", "фильм", "очень", "хорош", "##ий", ".", "ё", "е"],
                "абвгдеёжзийклмнопрстуфхцчшщъыьэюяФ"),
    "hindi": (["यह", "फ", "##िल्म", "अच", "##्छी", "है", "।"], "अआइईउऊएऐओऔकखगघचछजझटठडढतथदधनपफबभमयरलवशषसहािीुूेैोौ्ं"),
    "protein": (list("LAGVESIKRDTPNQFYMHCXUBZO"), ""),
    "dna": ([a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT"], ""),
    "kobert": (["▁" + word for word in "영화 정말 좋 한국 사람 나 는 이 가 그 저 것 수 들 등 때".split()] + ["가", "다", "."], ""),
}
TEXTS = {
    "english": ["The cat sat on the mat.", "a Good film", "Café unrelated 12, who?", "query: was", "x" * 120, "cat " * 70],
    "cased": ["The cat sat on the mat.", "a Good film", "Café unrelated 12, Who?", "query: was", "cat " * 70],
    "chinese": ["今天天气很好。", "我们去看good电影?", "中国北京的人", "好 " * 70],
    "korean": ["영화가 정말 좋다.", "한국어", "좋은 한국", "a 영화 " * 40],
    "arabic": ["هذا كتابها جميل.", "الفيلم", "كِتَاب جَمِيل", "[رابط] جميل"],
    "german": ["Der Film war schön.", "ÜBER groß", "schon Schön", "großß"],
    "greek": ["Η ταινία είναι καλή.", "καλης ΤΑΙΝΙΑΣ"],
    "russian": ["Фильм очень хороший.", "ещё ФИЛЬМ", "хороший ёж"],
    "hindi": ["यह फिल्म अच्छी है।", "अच्छी फिल्म"],
    "protein": ["L A G V E S", "M K L V", "D L I P T S S K L V V X"],
    "dna": ["ACG CGT GTA", "AAA CCC"],
    "kobert": ["영화가 정말 좋다."],
    "multilingual": ["The cat sat on the mat.", "今天天气很好。", "한국어 영화", "query: ein schöner Film", "١٢٣ हिन्दी"],
    "japanese": ["東京都に行きました。", "日本語の文章です。", "ＡＢＣ映画"],
}

LOWER, CASED = {"do_lower_case": True}, {"do_lower_case": False}
OLD = "sentence_transformers.models."
NEW = "sentence_transformers.base.modules.transformer.Transformer"
NORMALIZE = ("Normalize", {})


def pooling(*flags):
    names = ["cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens"]
    return ("Pooling", {"word_embedding_dimension": "width", **{f"pooling_mode_{n}": n in flags for n in names}})


MEAN, CLS = pooling("mean_tokens"), pooling("cls_token")


def dense(outputs, activation):
    return ("Dense", {"in_features": "width", "out_features": outputs, "bias": True,
                      "activation_function": f"torch.nn.modules.{activation}"})


def row(name, head="BertModel", words="english", tokenizer=LOWER, fast=True, config=None, files=None, modules=None,
        weights="safetensors", dtype="float32", options=(), refused=None, **more):
    return dict(name=name, head=head, words=words, tokenizer=tokenizer, fast=fast, config=config or {}, files=files or {},
                modules=modules, weights=weights, dtype=dtype, options=list(options), refused=refused, **more)


def limit(length, **more):
    return {"sentence_bert_config.json": {"max_seq_length": length, "do_lower_case": False, **more}}


def whole(**fields):
    return {"config_sentence_transformers.json": fields}


SENTENCES = [
    row("sentence-transformers/all-MiniLM-L6-v2", files=limit(32), modules=[MEAN, NORMALIZE]),
    row("sentence-transformers/all-MiniLM-L12-v2", files=limit(16), modules=[MEAN, NORMALIZE]),
    row("sentence-transformers/paraphrase-MiniLM-L3-v2, -L6-v2", files=limit(16), modules=[MEAN], weights="bin"),
    row("sentence-transformers/multi-qa-MiniLM-L6-cos-v1", files=limit(64), modules=[MEAN, NORMALIZE]),
    row("sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2", words="multilingual", files=limit(16),
        modules=[MEAN], tokenizer={"tokenizer_class": "XLMRobertaTokenizer", "model_max_length": 64}),
    row("sentence-transformers/bert-base-nli-mean-tokens", fast=False, modules=[MEAN], folder="0_BERT",
        files={"sentence_bert_config.json": {"max_seq_length": 16}}, weights="bin"),
    row("sentence-transformers/LaBSE", words="cased", tokenizer=CASED, files=limit(24),
        modules=[CLS, dense(16, "activation.Tanh"), NORMALIZE]),
    row("sentence-transformers/use-cmlm-multilingual", words="cased", tokenizer=CASED, folder="0_Transformer",
        files=limit(24), modules=[MEAN, NORMALIZE]),
    row("sentence-transformers/msmarco-bert-base-dot-v5", modules=[MEAN],
        files={**limit(64), **whole(similarity_fn_name="dot")}),
    row("BAAI/bge-small/base/large-en-v1.5", modules=[CLS, NORMALIZE],
        files={**limit(64, do_lower_case=True), **whole(__version__={"sentence_transformers": "2.2.2"})},
        config={"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}),
    row("BAAI/bge-small/base/large-zh-v1.5", words="chinese", modules=[CLS, NORMALIZE],
        files=limit(64, do_lower_case=True)),
    row("intfloat/e5-small/base/large(-v2)", modules=[MEAN, NORMALIZE], files=limit(64), options=["--prompt", "query: "]),
    row("intfloat/multilingual-e5-small", words="multilingual", modules=[MEAN, NORMALIZE], files=limit(64),
        tokenizer={"tokenizer_class": "XLMRobertaTokenizer", "model_max_length": 64}),
    row("thenlper/gte-small/base/large", dtype="float16", modules=[MEAN, NORMALIZE], files=limit(64)),
    row("thenlper/gte-*-zh", words="chinese", dtype="float16", modules=[CLS], files=limit(64)),
    row("mixedbread-ai/mxbai-embed-large-v1", dtype="float16", modules=[CLS],
        files={**limit(64), **whole(prompts={"query": "query: ", "passage": ""}, similarity_fn_name="cosine")},
        options=["--prompt-name", "query"]),
    row("WhereIsAI/UAE-Large-V1", modules=[CLS], files=limit(64)),
    row("Snowflake/snowflake-arctic-embed-xs/s/m/l", config={"add_pooling_layer": False}, modules=[CLS, NORMALIZE],
        files={**limit(64, model_args={"add_pooling_layer": False}), **whole(prompts={"query": "query: "})},
        options=["--prompt-name", "query"], pooler=False),
    row("Snowflake/snowflake-arctic-embed-m-v1.5", modules=[CLS, NORMALIZE], pooler=False, files=limit(64),
        options=["--dimensions", "8"]),
    row("avsolatorio/GIST-*, TaylorAI/bge-micro-v2, gte-tiny", dtype="float16", modules=[MEAN, NORMALIZE], files=limit(64)),
    row("facebook/contriever(-msmarco)", config={"architectures": ["Contriever"]}, weights="bin"),
    row("cambridgeltl/SapBERT-from-PubMedBERT-fulltext", options=["--pooling", "cls"]),
    row("shibing624/text2vec-base-chinese, moka-ai/m3e-base", words="chinese", modules=[MEAN], files=limit(32)),
    row("GanymedeNil/text2vec-large-chinese", words="chinese"),
    row("infgrad/stella-mrl-large-zh-v3.5-1792d, aspire/acge_text_embedding", words="chinese",
        config={"max_position_embeddings": 1024}, modules=[MEAN, dense(28, "linear.Identity")], files=limit(64)),
    row("jhgan/ko-sbert-sts, snunlp/KR-SBERT", words="korean", tokenizer=CASED, modules=[MEAN], files=limit(32)),
    row("firqaaa/indo-sentence-bert-base", modules=[MEAN], files=limit(32),
        config={"_num_labels": 5, "id2label": {str(i): f"LABEL_{i}" for i in range(5)},
                "label2id": {f"LABEL_{i}": i for i in range(5)}}),
    row("cointegrated/rubert-tiny2", words="russian", tokenizer=CASED, modules=[CLS, NORMALIZE], files=limit(2048),
        config={"max_position_embeddings": 2048, "emb_size": 312, "gradient_checkpointing": False}),
    row("ai-forever/sbert_large_nlu_ru", words="russian"),
    row("allenai/scibert_scivocab_uncased", tokenizer=None, fast=False, weights="bin"),
    row("allenai/scibert_scivocab_cased, Bio_ClinicalBERT, biobert-v1.1", words="cased", tokenizer=None, fast=False,
        weights="bin"),
]
RERANKERS = [
    row("cross-encoder/ms-marco-MiniLM-L6-v2, TinyBERT-L2", head="BertForSequenceClassification",
        config={"num_labels": 1, "id2label": {"0": "LABEL_0"}, "sentence_transformers":
                {"activation_fn": "torch.nn.modules.linear.Identity", "version": "4.1.0.dev0"}}),
    row("cross-encoder/ms-marco (older)", head="BertForSequenceClassification", fast=False, weights="bin",
        config={"num_labels": 1, "sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}),
    row("cross-encoder/stsb-*, quora-*", head="BertForSequenceClassification", config={"num_labels": 1}),
]
BASES = [
    row("google-bert/bert-base-uncased, bert-large-uncased", head="BertForMaskedLM"),
    row("google-bert/bert-base-cased", head="BertForPreTraining", words="cased",
        tokenizer={**CASED, "model_max_length": 512}),
    row("google-bert/bert-base-multilingual-cased", head="BertForMaskedLM", words="german", tokenizer=CASED,
        config={"directionality": "bidi", "pooler_fc_size": 768, "pooler_type": "first_token_transform"}),
    row("google-bert/bert-base-chinese", head="BertForMaskedLM", words="chinese"),
    row("bert-large-uncased-whole-word-masking", head="BertForMaskedLM"),
    row("google/bert_uncased_L-*, prajjwal1/bert-tiny", head="BertForPreTraining", tokenizer=None, fast=False,
        weights="bin", config={"architectures": ABSENT}),
    row("microsoft/MiniLM-L12-H384-uncased", tokenizer=LOWER, fast=False, weights="bin"),
    row("huawei-noah/TinyBERT_General_4L_312D", head="BertForPreTraining", tokenizer=None, fast=False, weights="bin",
        config={"model_type": ABSENT, "architectures": ABSENT, "cell": {}, "emb_size": 312, "structure": [],
                "pre_trained": ""},
        tensors=["fit_denses.0.weight"]),
    row("hfl/chinese-bert-wwm-ext, chinese-roberta-wwm-ext, chinese-macbert-base", head="BertForMaskedLM", words="chinese",
        tokenizer={"init_inputs": []}, files={"added_tokens.json": {}}),
    row("hfl/rbt3, uer/chinese_roberta_L-*", head="BertForMaskedLM", words="chinese", weights="bin", fast=False),
    row("nghuyong/ernie-1.0", head="BertForMaskedLM", words="chinese",
        config={"hidden_act": "relu", "max_position_embeddings": 513}),
    row("klue/bert-base", head="BertForPreTraining", words="korean", tokenizer=CASED),
    row("kykim/bert-kor-base", head="BertForMaskedLM", words="korean", tokenizer={**LOWER, "strip_accents": False}),
    row("monologg/kobert", words="kobert", tokenizer=None, fast=False, refused="SentencePiece"),
    row("indobenchmark/indobert-base-p1/p2", head="BertForPreTraining"),
    row("aubmindlab/bert-base-arabertv02", head="BertForMaskedLM", words="arabic",
        tokenizer={**CASED, "max_len": 512, "never_split": ["[رابط]"]}),
    row("CAMeL-Lab/bert-base-arabic-camelbert-*", head="BertForMaskedLM", words="arabic", tokenizer=CASED),
    row("deepset/gbert-base/large", head="BertForMaskedLM", words="german", fast=False,
        tokenizer={**CASED, "strip_accents": False, "max_len": 512}),
    row("dbmdz/bert-base-italian-cased", head="BertForMaskedLM", words="german", tokenizer=CASED, spare=7),
    row("dbmdz/bert-base-german-uncased, bert-base-turkish-uncased", head="BertForMaskedLM", words="german",
        tokenizer=LOWER),
    row("nlpaueb/bert-base-greek-uncased-v1", head="BertForPreTraining", words="greek", fast=False),
    row("DeepPavlov/rubert-base-cased", head="BertForPreTraining", words="russian", tokenizer=CASED),
    row("google/muril-base-cased", head="BertForPreTraining", words="hindi",
        tokenizer={**CASED, "lowercase": False, "strip_accents": False}),
    row("microsoft/BiomedNLP-BiomedBERT-base-uncased", head="BertForMaskedLM"),
    row("nlpaueb/legal-bert-base-uncased, yiyanghkust/finbert-pretrain", head="BertForPreTraining"),
    row("Rostlab/prot_bert", head="BertForMaskedLM", words="protein", fast=False,
        tokenizer={**CASED, "model_max_length": int(1e30)},
        config={"model_type": ABSENT, "max_position_embeddings": 40000}),
    row("zhihan1996/DNA_bert_3..6", head="BertForMaskedLM", words="dna", fast=False, tokenizer=CASED, weights="bin",
        config={"architectures": ["BertForMaskedLM"], "num_rnn_layer": 1, "rnn": "lstm", "rnn_dropout": 0.0,
                "rnn_hidden": 768, "split": 10}),
]
NER = ["O", "B-MISC", "I-MISC", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]


def labels(names):
    return {"id2label": {str(i): name for i, name in enumerate(names)}, "label2id": {n: i for i, n in enumerate(names)}}


TUNED = [
    row("dslim/bert-base-NER", head="BertForTokenClassification", words="cased", tokenizer=CASED,
        config={**labels(NER), "_num_labels": 9, "output_past": True}),
    row("dbmdz/bert-large-cased-finetuned-conll03-english", head="BertForTokenClassification", words="cased",
        tokenizer=CASED, weights="bin", config=labels(NER)),
    row("nlptown/bert-base-multilingual-uncased-sentiment", head="BertForSequenceClassification",
        config={**labels(["1 star", "2 stars", "3 stars", "4 stars", "5 stars"]), "finetuning_task": "sentiment-analysis"}),
    row("ProsusAI/finbert, finbert-tone, KR-FinBert-SC", head="BertForSequenceClassification", fast=False, weights="bin",
        config=labels(["positive", "negative", "neutral"])),
    row("unitary/toxic-bert", head="BertForSequenceClassification",
        config={**labels(["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"]),
                "problem_type": "multi_label_classification"}),
    row("textattack/bert-base-uncased-*", head="BertForSequenceClassification", weights="bin", fast=False,
        config={"finetuning_task": "glue:sst-2"}),
    row("Graphcore/bert-base-uncased-*", head="BertForSequenceClassification", dtype="float16",
        config={"layer_norm_eps": 0.001, "num_labels": 3, **labels(["LABEL_0", "LABEL_1", "LABEL_2"])}),
    row("cross-encoder/nli-* of BERT's kind", head="BertForSequenceClassification",
        config=labels(["contradiction", "entailment", "neutral"])),
    row("deepset/bert-base-cased-squad2", head="BertForQuestionAnswering", words="cased", tokenizer=CASED,
        config={"language": "english", "name": "Bert"}),
    row("bert-large-uncased-whole-word-masking-finetuned-squad", head="BertForQuestionAnswering"),
]
REFUSED = [
    row("jinaai/jina-embeddings-v2-*", modules=[MEAN], refused="alibi",
        config={"position_embedding_type": "alibi", "feed_forward_type": "geglu", "auto_map":
                {"AutoModel": "jinaai/jina-bert-implementation--modeling_bert.JinaBertModel"}}),
    row("zhihan1996/DNABERT-2-117M, mosaicml/mosaic-bert-base", refused="auto_map",
        config={"alibi_starting_size": 512, "auto_map": {"AutoModel": "bert_layers.BertModel"}}),
    row("zhiheng-huang/bert-base-uncased-embedding-relative-key", refused="relative_key",
        config={"position_embedding_type": "relative_key"}),
    row("*-bnb-4bit, *-bnb-8bit", refused="quantization_config",
        config={"quantization_config": {"load_in_8bit": True, "quant_method": "bitsandbytes"}}),
] + [row(name, refused=kind, config={"model_type": kind}) for name, kind in (
    ("Alibaba-NLP/gte-*-v1.5", "new"), ("nomic-ai/nomic-embed-text-v1*", "nomic_bert"), ("answerdotai/ModernBERT", "modernbert"),
    ("google/mobilebert-uncased", "mobilebert"), ("nghuyong/ernie-2.0", "ernie"), ("IDEA-CCNL/Erlangshen", "megatron-bert"),
    ("vinai/bertweet-base, KoSimCSE-roberta, guwenbert", "roberta"), ("junnyu/roformer_chinese_base", "roformer"),
    ("YituTech/conv-bert-base", "convbert"))]

ROWS = SENTENCES + RERANKERS + BASES + TUNED + REFUSED
