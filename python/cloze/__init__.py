"""Cloze: BERT, whole, on the CPU, with the names of transformers and sentence-transformers.

    from cloze import BertTokenizer, BertModel
    from cloze import SentenceTransformer, CrossEncoder, pipeline

docs/python.md of the repository has everything. Importing this package imports nothing else: a name
is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_MODULES = {
    "_cloze": ("get_num_threads", "set_num_threads"),
    "auto": (
        "AutoModel",
        "AutoModelForMaskedLM",
        "AutoModelForMultipleChoice",
        "AutoModelForNextSentencePrediction",
        "AutoModelForPreTraining",
        "AutoModelForQuestionAnswering",
        "AutoModelForSequenceClassification",
        "AutoModelForTokenClassification",
    ),
    "batch_encoding": ("BatchEncoding", "CharSpan", "TokenSpan"),
    "config": ("AutoConfig", "BertConfig"),
    "cross_encoder": ("CrossEncoder",),
    "encoding": ("Encoding",),
    "errors": (
        "ArgumentError",
        "Cancelled",
        "Error",
        "FormatError",
        "IoError",
        "ModelError",
        "PipelineException",
        "TextTooLong",
        "WrongPipeline",
    ),
    "files": (
        "ConvertedModel",
        "ExportedModel",
        "ModelInfo",
        "convert",
        "export_onnx",
        "load_safetensors",
        "model_info",
        "show_versions",
    ),
    "inspection": ("Inspection", "inspect"),
    "low_level": ("Tokenizer",),
    "machine": ("MachineInfo", "machine_info"),
    "models": (
        "BertForMaskedLM",
        "BertForMultipleChoice",
        "BertForNextSentencePrediction",
        "BertForPreTraining",
        "BertForQuestionAnswering",
        "BertForSequenceClassification",
        "BertForTokenClassification",
        "BertModel",
        "DistilBertForMaskedLM",
        "DistilBertForMultipleChoice",
        "DistilBertForQuestionAnswering",
        "DistilBertForSequenceClassification",
        "DistilBertForTokenClassification",
        "DistilBertModel",
    ),
    "multi_vector_encoder": ("MultiVectorEncoder",),
    "outputs": ("ModelOutput",),
    "pipelines": ("pipeline",),
    "sentence": ("SentenceTransformer",),
    "sparse_embeddings": ("SparseEmbeddings",),
    "sparse_encoder": ("SparseEncoder",),
    "tokenizer": (
        "AutoTokenizer",
        "BertTokenizer",
        "BertTokenizerFast",
        "DistilBertTokenizer",
        "DistilBertTokenizerFast",
    ),
    "training": (
        "EvaluationResult",
        "FineTuneResult",
        "PretrainResult",
        "evaluate",
        "finetune",
        "pretrain",
        "train_vocabulary",
    ),
}
_SUBMODULES = ("errors", "hub", "outputs", "util")
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted([*_HOME, *_SUBMODULES, "__version__"])


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = import_module("._cloze", __name__).version()
    elif name in _HOME:
        value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    elif name in _SUBMODULES:
        return import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if TYPE_CHECKING:
    from . import errors as errors
    from . import hub as hub
    from . import outputs as outputs
    from . import util as util
    from ._cloze import get_num_threads as get_num_threads
    from ._cloze import set_num_threads as set_num_threads
    from .auto import AutoModel as AutoModel
    from .auto import AutoModelForMaskedLM as AutoModelForMaskedLM
    from .auto import AutoModelForMultipleChoice as AutoModelForMultipleChoice
    from .auto import AutoModelForNextSentencePrediction as AutoModelForNextSentencePrediction
    from .auto import AutoModelForPreTraining as AutoModelForPreTraining
    from .auto import AutoModelForQuestionAnswering as AutoModelForQuestionAnswering
    from .auto import AutoModelForSequenceClassification as AutoModelForSequenceClassification
    from .auto import AutoModelForTokenClassification as AutoModelForTokenClassification
    from .batch_encoding import BatchEncoding as BatchEncoding
    from .batch_encoding import CharSpan as CharSpan
    from .batch_encoding import TokenSpan as TokenSpan
    from .config import AutoConfig as AutoConfig
    from .config import BertConfig as BertConfig
    from .cross_encoder import CrossEncoder as CrossEncoder
    from .encoding import Encoding as Encoding
    from .errors import ArgumentError as ArgumentError
    from .errors import Cancelled as Cancelled
    from .errors import Error as Error
    from .errors import FormatError as FormatError
    from .errors import IoError as IoError
    from .errors import ModelError as ModelError
    from .errors import PipelineException as PipelineException
    from .errors import TextTooLong as TextTooLong
    from .errors import WrongPipeline as WrongPipeline
    from .files import ConvertedModel as ConvertedModel
    from .files import ExportedModel as ExportedModel
    from .files import ModelInfo as ModelInfo
    from .files import convert as convert
    from .files import export_onnx as export_onnx
    from .files import load_safetensors as load_safetensors
    from .files import model_info as model_info
    from .files import show_versions as show_versions
    from .inspection import Inspection as Inspection
    from .inspection import inspect as inspect
    from .low_level import Tokenizer as Tokenizer
    from .machine import MachineInfo as MachineInfo
    from .machine import machine_info as machine_info
    from .models import BertForMaskedLM as BertForMaskedLM
    from .models import BertForMultipleChoice as BertForMultipleChoice
    from .models import BertForNextSentencePrediction as BertForNextSentencePrediction
    from .models import BertForPreTraining as BertForPreTraining
    from .models import BertForQuestionAnswering as BertForQuestionAnswering
    from .models import BertForSequenceClassification as BertForSequenceClassification
    from .models import BertForTokenClassification as BertForTokenClassification
    from .models import BertModel as BertModel
    from .models import DistilBertForMaskedLM as DistilBertForMaskedLM
    from .models import DistilBertForMultipleChoice as DistilBertForMultipleChoice
    from .models import DistilBertForQuestionAnswering as DistilBertForQuestionAnswering
    from .models import DistilBertForSequenceClassification as DistilBertForSequenceClassification
    from .models import DistilBertForTokenClassification as DistilBertForTokenClassification
    from .models import DistilBertModel as DistilBertModel
    from .multi_vector_encoder import MultiVectorEncoder as MultiVectorEncoder
    from .outputs import ModelOutput as ModelOutput
    from .pipelines import pipeline as pipeline
    from .sentence import SentenceTransformer as SentenceTransformer
    from .sparse_embeddings import SparseEmbeddings as SparseEmbeddings
    from .sparse_encoder import SparseEncoder as SparseEncoder
    from .tokenizer import AutoTokenizer as AutoTokenizer
    from .tokenizer import BertTokenizer as BertTokenizer
    from .tokenizer import BertTokenizerFast as BertTokenizerFast
    from .tokenizer import DistilBertTokenizer as DistilBertTokenizer
    from .tokenizer import DistilBertTokenizerFast as DistilBertTokenizerFast
    from .training import EvaluationResult as EvaluationResult
    from .training import FineTuneResult as FineTuneResult
    from .training import PretrainResult as PretrainResult
    from .training import evaluate as evaluate
    from .training import finetune as finetune
    from .training import pretrain as pretrain
    from .training import train_vocabulary as train_vocabulary

    __version__: str
