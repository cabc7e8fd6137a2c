// What leaves the library is a cloze::Error, whatever the files hold and wherever they lie: every
// kind of JSON file with values of the wrong types, text files with values of any length, and every
// reader and writer with paths that the file system refuses. Its message is one line that a
// terminal can show, and short, however large the bad value is.
#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "cloze/array_file.h"
#include "cloze/bert.h"
#include "cloze/checkpoint.h"
#include "cloze/config.h"
#include "cloze/convert.h"
#include "cloze/error.h"
#include "cloze/export.h"
#include "cloze/finetune.h"
#include "cloze/hub.h"
#include "cloze/model_info.h"
#include "cloze/output.h"
#include "cloze/sentence_settings.h"
#include "cloze/squad.h"
#include "cloze/text_reader.h"
#include "cloze/tokenizer.h"
#include "cloze/vocabulary_trainer.h"
#include "core/bad_input.h"
#include "core/temp_directory.h"
#include "corpus/corpus.h"
#include "datasets/choice_reader.h"
#include "datasets/conll_reader.h"
#include "datasets/labelled_text.h"
#include "formats/safetensors_bytes.h"
#include "hub/files.h"
#include "places.h"
#include "sentence/dense.h"
#include "sentence/ranking_settings.h"
#include "train/run/run_directory.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::expect_errors_alone;
using testing::for_each_wrong;
using testing::kLongestWithPath;
using testing::read_file;
using testing::refuses;
using testing::TempDirectory;
using testing::write_file;

fs::path golden(const std::string& name) {
  return fs::path(kSourceDir) / "tests" / "goldens" / name;
}

TEST(WrongTypes, InTheModelsConfiguration) {
  const TempDirectory directory;
  const auto valid = json::parse(read_file(golden("sequence_3_labels/config.json")));
  expect_errors_alone(directory / "config.json", valid,
                      [&] { static_cast<void>(BertConfig::from_pretrained(directory.path())); });
}

TEST(WrongTypes, InTheTokenizersFiles) {
  const TempDirectory source;
  const std::vector<std::string> tokens{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##b"};
  Tokenizer::from_vocabulary(tokens).save_pretrained(source.path());
  const auto read = [](const TempDirectory& directory) {
    return [&] { static_cast<void>(Tokenizer::from_pretrained(directory.path())); };
  };
  const auto file_of = [&](const char* name) { return json::parse(read_file(source / name)); };
  {
    const TempDirectory directory;
    expect_errors_alone(directory / "tokenizer.json", file_of("tokenizer.json"), read(directory));
    expect_errors_alone(directory / "tokenizer_config.json", file_of("tokenizer_config.json"),
                        read(directory));
  }
  const TempDirectory directory;
  fs::copy_file(source / "vocab.txt", directory / "vocab.txt");
  expect_errors_alone(directory / "special_tokens_map.json",
                      json::parse(R"({"cls_token": "[CLS]", "mask_token": {"content": "[MASK]",
                                      "lstrip": true}, "additional_special_tokens": ["[X]"]})"),
                      read(directory));
  expect_errors_alone(directory / "added_tokens.json", json::parse(R"({"[NEW]": 7})"),
                      read(directory));
}

TEST(WrongTypes, InTheIndexOfShards) {
  const TempDirectory directory;
  fs::copy(golden("sharded"), directory.path(),
           fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  const auto file = directory / "model.safetensors.index.json";
  expect_errors_alone(file, json::parse(read_file(file)),
                      [&] { static_cast<void>(Checkpoint::open(directory.path())); });
}

TEST(WrongTypes, InASafetensorsHeader) {
  const TempDirectory directory;
  const auto file = directory / "model.safetensors";
  const auto valid = json::parse(
      R"({"__metadata__": {"format": "pt"}, "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}})");
  int refused = 0;
  for_each_wrong(valid, [&](const std::string& header) {
    write_file(file, testing::safetensors(header, std::string(8, '\0')));
    refused += refuses([&] { static_cast<void>(Checkpoint::open(file)); }, header.substr(0, 200));
  });
  EXPECT_GT(refused, 60);
}

TEST(WrongTypes, InSentenceTransformersFiles) {
  const TempDirectory directory;
  const auto modules = json::parse(R"([
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}])");
  fs::create_directory(directory / "1_Pooling");
  write_file(directory / "modules.json", modules.dump());
  const auto pooling =
      json::parse(R"({"word_embedding_dimension": 4, "pooling_mode_mean_tokens": true})");
  write_file(directory / "1_Pooling/config.json", pooling.dump());
  const auto read = [&] {
    static_cast<void>(transformer_directory(directory.path()));
    static_cast<void>(sentence_settings(directory.path()));
  };
  expect_errors_alone(directory / "sentence_bert_config.json",
                      json::parse(R"({"max_seq_length": 7})"), read);
  expect_errors_alone(directory / "sentence_bert_config.json",
                      json::parse(R"({"do_lower_case": true, "model_args": {"torch_dtype": "auto"},
                          "tokenizer_args": {"model_max_length": 9}, "config_args": {},
                          "modality_config": {"text": {"method": "forward",
                                                       "method_output_name": "last_hidden_state"}},
                          "transformer_task": "feature-extraction"})"),
                      read);
  expect_errors_alone(directory / "config_sentence_transformers.json",
                      json::parse(R"({"prompts": {"a": "b"}, "default_prompt_name": "a",
                          "similarity_fn_name": "dot", "truncate_dim": 3,
                          "model_type": "SentenceTransformer"})"),
                      read);
  expect_errors_alone(directory / "1_Pooling/config.json", pooling, read);
  expect_errors_alone(directory / "1_Pooling/config.json",
                      json::parse(R"({"pooling_mode": ["mean", "cls"], "include_prompt": false})"),
                      read);
  expect_errors_alone(directory / "modules.json", modules, read);
  const auto choose = [&] {
    static_cast<void>(hub::choose_files(
        {"modules.json", "config.json", "1_Pooling/config.json", "vocab.txt", "model.safetensors"},
        [&](const std::string& name) { return read_file(directory / name); }, "owner/name"));
  };
  expect_errors_alone(directory / "modules.json", modules, choose);

  save_safetensors(directory / "model.safetensors",
                   {{"linear.weight", Tensor::zeros(DType::f32, {2, 4})}});
  expect_errors_alone(directory / "config.json",
                      json::parse(R"({"in_features": 4, "out_features": 2, "bias": false,
                                      "activation_function": "torch.nn.modules.activation.Tanh"})"),
                      [&] { static_cast<void>(read_dense(directory.path())); });
}

TEST(WrongTypes, InACrossEncodersFiles) {
  const TempDirectory directory;
  const auto modules =
      json::parse(R"([{"path": "", "type": "sentence_transformers.base.modules.Transformer"}])");
  const auto whole = json::parse(R"({"model_type": "CrossEncoder", "prompts": {"a": "b"},
      "activation_fn": "torch.nn.modules.linear.Identity"})");
  write_file(directory / "modules.json", modules.dump());
  write_file(directory / "config_sentence_transformers.json", whole.dump());
  BertConfig config;
  const auto read = [&] { static_cast<void>(ranking_settings(directory.path(), config)); };
  expect_errors_alone(directory / "config_sentence_transformers.json", whole, read);
  expect_errors_alone(directory / "modules.json", modules, read);
  write_file(directory / "config_sentence_transformers.json", R"({"model_type": "CrossEncoder"})");
  const auto stated = json::parse(R"({"sentence_transformers": {"activation_fn":
      "torch.nn.modules.linear.Identity", "version": "5.0.0"}})");
  expect_errors_alone(directory / "stated.json", stated, [&] {
    config.extra_json = read_file(directory / "stated.json");
    read();
  });
}

TEST(WrongTypes, InDataSets) {
  const TempDirectory directory;
  const auto squad = directory / "squad.json";
  expect_errors_alone(squad, json::parse(R"({"data": [{"paragraphs": [{"context": "A text.",
      "qas": [{"id": "1", "question": "What?", "is_impossible": false,
               "answers": [{"text": "text", "answer_start": 2}]}]}]}]})"),
                      [&] { static_cast<void>(read_squad(squad)); });
  const auto conll = directory / "tags.jsonl";
  expect_errors_alone(conll,
                      json::parse(R"({"tokens": ["EU", "rejects"], "tags": ["B-ORG", "O"]})"),
                      [&] { static_cast<void>(read_conll(conll, {})); });
  const auto table = directory / "table.jsonl";
  expect_errors_alone(table, json::parse(R"({"text": "A text.", "label": ["good", "long"]})"), [&] {
    LabelledTextReader reader(table, {.multi_label = true});
    while (reader.next()) continue;
  });
  const auto choices = directory / "choices.jsonl";
  expect_errors_alone(choices,
                      json::parse(R"({"prompt": "A", "choice0": "b", "choice1": "c", "label": 1})"),
                      [&] { static_cast<void>(read_choices(choices, {})); });
}

// Values of any length, in files that are not JSON.
TEST(LongValues, InTextFiles) {
  const TempDirectory directory;
  const std::string token(20'000, 'x');
  const auto control = "\x1b[31m" + std::string(20'000, '\x01');
  const auto words = directory.write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ngood\n");
  const auto wrong = [&](const std::string& name, const std::string& text, const auto& read) {
    const auto file = directory.write(name, text);
    EXPECT_TRUE(refuses([&] { read(file); }, name)) << name;
  };
  const auto vocabulary = [](const fs::path& file) {
    static_cast<void>(Tokenizer::from_vocabulary_file(file));
  };
  for (const auto& value : {token, control}) {
    wrong("no_unk.txt", value + '\n', vocabulary);
    wrong("binary.txt", value + "\xFF\xFE", vocabulary);
    const auto conll = [](const fs::path& file) { static_cast<void>(read_conll(file, {})); };
    wrong("mixed.conll", "EU B-" + value + "\nrejects " + value + "\n\n", conll);
    wrong("bioes.conll", "EU B-" + value + "\nrejects E-other" + value + "\n\n", conll);
    const auto table = [](const fs::path& file) {
      LabelledTextReader reader(file, {.text_column = "none"});
      while (reader.next()) continue;
    };
    wrong("table.csv", "text," + value + ",third\na,b,c\n", table);
    const auto choices = [](const fs::path& file) { static_cast<void>(read_choices(file, {})); };
    wrong("choices.csv", "prompt," + value + ",third\na,b,c\n", choices);
    wrong("label.csv", "prompt,choice0,choice1,label\na,b,c," + value + "\n", choices);
    for (const auto* task : {"regression", "ranking", "text-classification"}) {
      wrong("data.csv", "text,label\ngood," + value + "\nbad," + value + "\n",
            [&](const fs::path& file) {
              FinetuneSettings settings;
              settings.task = task;
              settings.size = "tiny";
              settings.vocab = words;
              settings.train = file;
              settings.output = directory / "run";
              static_cast<void>(finetune(settings));
            });
    }
  }
}

/// A reader or writer of the library, given a path.
struct PathUse {
  std::string name;
  std::function<void(const fs::path&)> call;
  bool writes = false;
};

std::vector<PathUse> path_uses() {
  const auto tensors = TensorMap{{"a", Tensor::zeros(DType::f32, {2})}};
  const std::vector<std::string> tokens{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"};
  const auto tokenizer = Tokenizer::from_vocabulary(tokens);
  std::vector<PathUse> uses;
  const auto reads = [&](const char* name, auto call) { uses.push_back({name, call, false}); };
  const auto writes = [&](const char* name, auto call) { uses.push_back({name, call, true}); };
  reads("BertConfig", [](const fs::path& p) { static_cast<void>(BertConfig::from_pretrained(p)); });
  reads("Tokenizer", [](const fs::path& p) { static_cast<void>(Tokenizer::from_pretrained(p)); });
  reads("vocabulary file",
        [](const fs::path& p) { static_cast<void>(Tokenizer::from_vocabulary_file(p)); });
  reads("Checkpoint", [](const fs::path& p) { static_cast<void>(Checkpoint::open(p)); });
  reads("BertModel", [](const fs::path& p) { static_cast<void>(BertModel::from_pretrained(p)); });
  reads("model_info", [](const fs::path& p) { static_cast<void>(model_info(p)); });
  reads("convert_model", [](const fs::path& p) {
    const TempDirectory to;
    static_cast<void>(convert_model(p, to / "to"));
  });
  reads("export_onnx", [](const fs::path& p) {
    const TempDirectory to;
    static_cast<void>(export_onnx(p, to / "model.onnx", {}));
  });
  reads("train_vocabulary", [](const fs::path& p) {
    const std::vector paths{p};
    static_cast<void>(train_vocabulary(paths));
  });
  reads("TextReader", [](const fs::path& p) {
    auto reader = TextReader::file(p, Tabs::space);
    while (reader.next()) continue;
  });
  reads("Corpus", [](const fs::path& p) {
    const std::vector paths{p};
    static_cast<void>(Corpus::open(paths));
  });
  reads("read_squad", [](const fs::path& p) { static_cast<void>(read_squad(p)); });
  reads("read_conll", [](const fs::path& p) { static_cast<void>(read_conll(p, {})); });
  reads("read_choices", [](const fs::path& p) { static_cast<void>(read_choices(p, {})); });
  reads("LabelledTextReader", [](const fs::path& p) { LabelledTextReader reader(p, {}); });
  writes("Output", [](const fs::path& p) {
    auto output = Output::file(p);
    output.finish();
  });
  writes("ArrayFile", [](const fs::path& p) {
    ArrayFile array(p, {.columns = 1});
    array.finish();
  });
  writes("save_safetensors", [=](const fs::path& p) { save_safetensors(p, tensors); });
  writes("save_vocabulary", [=](const fs::path& p) { save_vocabulary(p, tokens); });
  writes("save_checkpoint", [=](const fs::path& p) { save_checkpoint(p, tensors); });
  writes("shards", [=](const fs::path& p) { save_checkpoint(p, tensors, 4); });
  writes("Tokenizer::save", [=](const fs::path& p) { tokenizer.save_pretrained(p); });
  writes("BertConfig::save", [](const fs::path& p) { BertConfig{}.save_pretrained(p); });
  writes("convert_model to",
         [](const fs::path& p) { static_cast<void>(convert_model(golden("bare_odd"), p)); });
  writes("RunDirectory", [](const fs::path& p) {
    static_cast<void>(RunDirectory::open(p, ExistingRun::overwrite));
  });
  return uses;
}

TEST(RefusedPaths, AreErrorsOfCloze) {
  const TempDirectory directory;
  const auto file = directory.write("file", "a b c\n");
  fs::create_symlink("loop", directory / "loop");
  const fs::path long_name = directory / std::string(300, 'n');
  const fs::path long_path = directory / (std::string(200, 'n') + "/" + std::string(5000, 'n'));
  for (const auto& use : path_uses()) {
    for (const auto& path : {file / "below", directory / "loop", directory / "loop/below",
                             long_name, long_path, fs::path()}) {
      const auto what = use.name + " with " + path.string().substr(0, 60);
      EXPECT_TRUE(refuses([&] { use.call(path); }, what, kLongestWithPath)) << what;
    }
    if (!use.writes) {
      const auto what = use.name + " with nothing there";
      EXPECT_TRUE(refuses([&] { use.call(directory / "missing"); }, what)) << what;
    }
    // A file where a directory should be, or the other way round: refused, or right.
    refuses([&] { use.call(file); }, use.name + " with a file");
    write_file(file, "a b c\n");
    fs::create_directory(directory / "empty");
    refuses([&] { use.call(directory / "empty"); }, use.name + " with an empty directory");
    fs::remove_all(directory / "empty");
  }
}

TEST(RefusedPaths, WithoutPermission) {
  if (::geteuid() == 0) GTEST_SKIP() << "the superuser may do everything";
  const TempDirectory directory;
  const auto closed = directory / "closed";
  for (const auto& use : path_uses()) {
    fs::copy(golden("bare_odd"), closed);
    fs::permissions(closed, fs::perms::none);
    const auto what = use.name + " in a closed directory";
    EXPECT_TRUE(refuses([&] { use.call(closed); }, what)) << what;
    EXPECT_TRUE(refuses([&] { use.call(closed / "config.json"); }, what)) << what;
    fs::permissions(closed, fs::perms::owner_all);
    fs::remove_all(closed);
  }
}

// What should be a file is a directory, in a directory that is otherwise right.
TEST(RefusedPaths, DirectoriesInPlaceOfFiles) {
  for (const auto* name : {"config.json", "vocab.txt", "tokenizer_config.json", "tokenizer.json",
                           "model.safetensors", "modules.json", "special_tokens_map.json"}) {
    const TempDirectory directory;
    fs::copy(golden("bare_odd"), directory / "model");
    fs::remove(directory / "model" / name);
    fs::create_directory(directory / "model" / name);
    for (const auto& use : path_uses()) {
      if (use.writes) continue;
      refuses([&] { use.call(directory / "model"); }, use.name + " with a directory " + name);
    }
    write_file(directory / "model" / name / "inside", "");
    for (const auto& use : path_uses()) {
      if (!use.writes || use.name == "RunDirectory") continue;
      refuses([&] { use.call(directory / "model"); }, use.name + " over a directory " + name);
    }
  }
}

}  // namespace
}  // namespace cloze
