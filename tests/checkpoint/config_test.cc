// config.json: what transformers writes and reads, and every sentence with which Cloze refuses.
#include "cloze/config.h"

#include <cmath>
#include <limits>
#include <ostream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "checkpoint/labels.h"
#include "cloze/error.h"
#include "core/temp_directory.h"
#include "places.h"

namespace cloze {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::read_file;
using ::testing::StartsWith;
using testing::TempDirectory;

namespace fs = std::filesystem;

const fs::path kConfigGoldens = fs::path(kSourceDir) / "tests/goldens/checkpoint/config";

BertConfig parse(const std::string& text) { return BertConfig::from_json(text, "config.json"); }

BertConfig golden(const std::string& name) {
  return BertConfig::from_json(read_file(kConfigGoldens / (name + ".json")), name);
}

TEST(BertConfig, HasTheDefaultsOfTransformers) {
  const auto config = parse(R"({"model_type":"bert"})");
  EXPECT_EQ(config.to_json(), BertConfig{}.to_json());
  // What transformers writes for BertConfig() has besides some fields that Cloze keeps as extra.
  auto expected = json::parse(read_file(kConfigGoldens / "default.json"));
  for (const auto* extra : {"add_cross_attention", "bos_token_id", "eos_token_id", "is_decoder",
                            "transformers_version", "use_cache"}) {
    ASSERT_EQ(expected.erase(extra), 1U) << extra;
  }
  EXPECT_EQ(json::parse(BertConfig{}.to_json()), expected);
}

class GoldenConfig : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenConfig, IsWrittenBackByteForByte) {
  const auto text = read_file(kConfigGoldens / (std::string(GetParam()) + ".json"));
  EXPECT_EQ(BertConfig::from_json(text, GetParam()).to_json(), text);
}

INSTANTIATE_TEST_SUITE_P(Transformers, GoldenConfig,
                         ::testing::Values("default", "large", "tiny_tanh", "relu", "silu",
                                           "labels_12", "labels_named", "regression", "extra"));

TEST(BertConfig, ReadsTheFieldsThatTransformersWrites) {
  const auto tiny = golden("tiny_tanh");
  EXPECT_EQ(tiny.hidden_size, 24);
  EXPECT_EQ(tiny.num_hidden_layers, 2);
  EXPECT_EQ(tiny.num_attention_heads, 3);
  EXPECT_EQ(tiny.head_dim(), 8);
  EXPECT_EQ(tiny.intermediate_size, 37);
  EXPECT_EQ(tiny.hidden_act, Activation::gelu_tanh);
  EXPECT_EQ(tiny.layer_norm_eps, 1e-5);
  EXPECT_EQ(tiny.initializer_range, 0.125);
  EXPECT_EQ(tiny.max_position_embeddings, 40);
  EXPECT_EQ(tiny.type_vocab_size, 1);
  EXPECT_EQ(tiny.hidden_dropout_prob, 0.0);
  EXPECT_EQ(tiny.attention_probs_dropout_prob, 0.1);
  EXPECT_FALSE(tiny.tie_word_embeddings);
  EXPECT_EQ(tiny.pad_token_id, -1);
  EXPECT_EQ(tiny.vocab_size, 30522);
  EXPECT_EQ(tiny.num_labels(), 2);
  EXPECT_THAT(tiny.id2label, IsEmpty());
  EXPECT_EQ(tiny.classifier_dropout, std::nullopt);

  const auto labels = golden("labels_12");
  EXPECT_EQ(labels.num_labels(), 12);
  EXPECT_EQ(labels.id2label[10], "LABEL_10");
  EXPECT_EQ(labels.classifier_dropout, 0.3);
  EXPECT_THAT(labels.architectures, ElementsAre("BertForTokenClassification"));

  EXPECT_THAT(golden("labels_named").id2label, ElementsAre("négatif", "中立", "\"so\" \U0001f600"));
  EXPECT_EQ(golden("labels_named").problem_type, "single_label_classification");
  EXPECT_EQ(golden("regression").num_labels(), 1);
  EXPECT_EQ(golden("relu").hidden_act, Activation::relu);
  EXPECT_EQ(golden("silu").hidden_act, Activation::silu);
}

TEST(BertConfig, KeepsUnknownFields) {
  const auto config = golden("extra");
  const auto extra = json::parse(config.extra_json);
  EXPECT_EQ(extra["my_field"], json::parse(R"({"a":"x","b":[1,2.5,null,true]})"));
  EXPECT_EQ(extra["max_shard"], 12345678901234567890U);
  EXPECT_FALSE(extra.contains("vocab_size"));
  const auto written = json::parse(config.to_json());
  EXPECT_EQ(written["finetuning_task"], "mrpc");
}

TEST(BertConfig, ReadsGooglesBertConfig) {
  const std::string google = R"({"attention_probs_dropout_prob": 0.1, "directionality": "bidi",
      "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "hidden_size": 768,
      "initializer_range": 0.02, "intermediate_size": 3072, "max_position_embeddings": 512,
      "num_attention_heads": 12, "num_hidden_layers": 12, "pooler_fc_size": 768,
      "pooler_num_attention_heads": 12, "pooler_num_fc_layers": 3,
      "pooler_size_per_head": 128, "pooler_type": "first_token_transform",
      "type_vocab_size": 2, "vocab_size": 105879})";
  const TempDirectory directory;
  directory.write("bert_config.json", google);
  const auto config = BertConfig::from_pretrained(directory.path());
  EXPECT_EQ(config.vocab_size, 105879);
  EXPECT_EQ(json::parse(config.to_json())["directionality"], "bidi");
  // config.json is preferred where there are both.
  directory.write("config.json", R"({"model_type":"bert","vocab_size":99})");
  EXPECT_EQ(BertConfig::from_pretrained(directory.path()).vocab_size, 99);
}

TEST(BertConfig, ReadsLabelsInOldAndNewForms) {
  const auto labels = [](const std::string& fields) {
    return parse(R"({"model_type":"bert",)" + fields + "}").id2label;
  };
  EXPECT_THAT(labels(R"("id2label":{"0":"NO","1":"YES"})"), ElementsAre("NO", "YES"));
  EXPECT_THAT(labels(R"("id2label":{"1":"YES","0":"NO"},"label2id":{"NO":0,"YES":1})"),
              ElementsAre("NO", "YES"));
  EXPECT_THAT(labels(R"("id2label":["NO","YES"])"), ElementsAre("NO", "YES"));
  EXPECT_THAT(labels(R"("id2label":{"0":4,"1":2.5})"), ElementsAre("4", "2.5"));
  EXPECT_THAT(labels(R"("num_labels":3)"), ElementsAre("LABEL_0", "LABEL_1", "LABEL_2"));
  EXPECT_THAT(labels(R"("num_labels":2,"id2label":{"0":"NO","1":"YES"})"),
              ElementsAre("NO", "YES"));
  EXPECT_THAT(labels(R"("label2id":{"YES":1,"NO":0})"), ElementsAre("NO", "YES"));
  EXPECT_THAT(labels(R"("id2label":null,"label2id":null,"num_labels":null)"), IsEmpty());
  EXPECT_THAT(labels(R"("id2label":{})"), IsEmpty());
}

TEST(BertConfig, ReadsEveryNameOfAnActivation) {
  const std::pair<const char*, Activation> names[] = {{"gelu", Activation::gelu},
                                                      {"gelu_python", Activation::gelu},
                                                      {"gelu_new", Activation::gelu_tanh},
                                                      {"gelu_pytorch_tanh", Activation::gelu_tanh},
                                                      {"gelu_python_tanh", Activation::gelu_tanh},
                                                      {"gelu_fast", Activation::gelu_tanh},
                                                      {"gelu_accurate", Activation::gelu_tanh},
                                                      {"relu", Activation::relu},
                                                      {"silu", Activation::silu},
                                                      {"swish", Activation::silu}};
  for (const auto& [name, activation] : names) {
    const auto config = parse(R"({"model_type":"bert","hidden_act":")" + std::string(name) + "\"}");
    EXPECT_EQ(config.hidden_act, activation) << name;
    EXPECT_EQ(parse(config.to_json()).hidden_act, activation) << name;
  }
}

struct Refused {
  const char* what;
  std::string fields;  // of a BERT's configuration
  const char* message;
};

void PrintTo(const Refused& it, std::ostream* out) { *out << it.what; }

class RefusedConfig : public ::testing::TestWithParam<Refused> {
 protected:
  template <class Expected>
  static void expect_refusal() {
    const auto& [what, fields, message] = GetParam();
    try {
      (void)parse(R"({"model_type":"bert",)" + fields + "}");
      FAIL() << what << " was accepted";
    } catch (const Expected& error) {
      EXPECT_THAT(error.what(),
                  AllOf(StartsWith("config.json: "), HasSubstr(message), Not(HasSubstr("\n"))));
    }
  }
};

using WrongType = RefusedConfig;
TEST_P(WrongType, IsAFormatErrorThatNamesTheField) { expect_refusal<FormatError>(); }

INSTANTIATE_TEST_SUITE_P(
    Fields, WrongType,
    ::testing::Values(
        Refused{"a string size", R"("hidden_size":"768")",
                R"("hidden_size" must be an integer, found "768")"},
        Refused{"a fraction size", R"("hidden_size":768.0)", "must be an integer, found 768.0"},
        Refused{"a null size", R"("vocab_size":null)", "must be an integer, found null"},
        Refused{"a boolean size", R"("vocab_size":true)", "must be an integer, found true"},
        Refused{"a size of 2^64 - 1", R"("vocab_size":18446744073709551615)",
                "must be a smaller integer"},
        Refused{"a size past 64 bits", R"("vocab_size":184467440737095516150)",
                "must be an integer"},
        Refused{"a string eps", R"("layer_norm_eps":"1e-12")", "must be a number, found \"1e-12\""},
        Refused{"a null dropout", R"("hidden_dropout_prob":null)", "must be a number, found null"},
        Refused{"a string switch", R"("tie_word_embeddings":"true")", "must be true or false"},
        Refused{"a number as activation", R"("hidden_act":1)", "must be a string, found 1"},
        Refused{"an object as activation", R"("hidden_act":{"x":1})",
                "must be a string, found an object"},
        Refused{"a lone architecture", R"("architectures":"BertModel")",
                "\"architectures\" must be an array of strings"},
        Refused{"a numbered architecture", R"("architectures":[1])", "must be a string, found 1"},
        Refused{"a pad token by name", R"("pad_token_id":"[PAD]")", "must be an integer"},
        Refused{"labels as a string", R"("id2label":"NO")", "must be an object of labels"},
        Refused{"a label that is an array", R"("id2label":{"0":[1]})",
                "must be labels, found an array"},
        Refused{"a label's number by name", R"("id2label":{"zero":"NO"})",
                "has the key \"zero\", which is no number"},
        Refused{"an id by name", R"("label2id":{"NO":"0"})", "must be an integer, found \"0\""},
        Refused{"ids as an array", R"("label2id":["NO"])", "must be an object of numbers"},
        Refused{"a fraction of labels", R"("num_labels":2.5)", "must be an integer"},
        Refused{"a decoder by name", R"("is_decoder":"yes")", "must be true or false"}));

using NoModel = RefusedConfig;
TEST_P(NoModel, IsAModelErrorThatSaysWhy) { expect_refusal<ModelError>(); }

INSTANTIATE_TEST_SUITE_P(
    Sizes, NoModel,
    ::testing::Values(
        Refused{"no layers", R"("num_hidden_layers":0)",
                R"("num_hidden_layers" is 0; it must be 1 to 10000)"},
        Refused{"negative hidden size", R"("hidden_size":-768)", R"("hidden_size" is -768)"},
        Refused{"no heads", R"("num_attention_heads":0)", R"("num_attention_heads" is 0)"},
        Refused{"heads that do not divide", R"("num_attention_heads":7)",
                R"("hidden_size" 768 cannot be divided by "num_attention_heads" 7)"},
        Refused{"more heads than hidden", R"("num_attention_heads":1536)", "cannot be divided"},
        Refused{"no words", R"("vocab_size":0)", R"("vocab_size" is 0)"},
        Refused{"no positions", R"("max_position_embeddings":0)", "is 0"},
        Refused{"no segments", R"("type_vocab_size":0)", "is 0"},
        Refused{"no feed-forward", R"("intermediate_size":0)", "is 0"},
        Refused{"ids past 32 bits", R"("vocab_size":2147483648)", "it must be 1 to 2147483647"},
        Refused{"the largest integer", R"("hidden_size":9223372036854775807)", "it must be 1 to"},
        Refused{"the least integer", R"("num_hidden_layers":-9223372036854775808)",
                "it must be 1 to"},
        Refused{"each size fair, all absurd",
                R"("hidden_size":1048576,"vocab_size":2147483647,"num_hidden_layers":10000,)"
                R"("intermediate_size":8388608,"num_attention_heads":1048576)",
                "parameters, which no BERT has"},
        Refused{"a pad token past the vocabulary", R"("pad_token_id":30522)",
                R"("pad_token_id" is 30522, outside the vocabulary of 30522)"},
        Refused{"a pad token far below", R"("pad_token_id":-2)", "outside the vocabulary"},
        Refused{"negative eps", R"("layer_norm_eps":-1e-12)", R"("layer_norm_eps" is -1e-12)"},
        Refused{"a dropout over 1", R"("hidden_dropout_prob":1.5)", "a probability is 0 to 1"},
        Refused{"a negative dropout", R"("attention_probs_dropout_prob":-0.1)",
                "a probability is 0 to 1"},
        Refused{"a classifier dropout over 1", R"("classifier_dropout":2)",
                R"("classifier_dropout" is 2)"},
        Refused{"a negative spread", R"("initializer_range":-0.02)", "it must be 0 or more"}));

INSTANTIATE_TEST_SUITE_P(
    Variants, NoModel,
    ::testing::Values(
        Refused{"relative positions", R"("position_embedding_type":"relative_key")",
                R"("position_embedding_type" is "relative_key": Cloze has BERT's absolute)"},
        Refused{"a decoder", R"("is_decoder":true)", "\"is_decoder\" is true: Cloze computes"},
        Refused{"cross attention", R"("add_cross_attention":true)", "cross attention"},
        Refused{"encoder and decoder", R"("is_encoder_decoder":true)", "the encoder alone"},
        Refused{"pruned heads", R"("pruned_heads":{"0":[1,2]})", "unpruned"},
        Refused{"quantized weights", R"("quantization_config":{"bits":4})", "weights as floats"},
        Refused{"layers of several kinds", R"("per_layer_config":{"0":{"hidden_act":"relu"}})",
                "layers that are all alike"},
        Refused{"an unknown activation", R"("hidden_act":"quick_gelu")",
                R"("hidden_act" is "quick_gelu", which Cloze does not compute; it has "gelu")"}));

INSTANTIATE_TEST_SUITE_P(
    Labels, NoModel,
    ::testing::Values(
        Refused{"a gap", R"("id2label":{"0":"A","2":"C"})",
                R"("id2label" has 2 labels and numbers one of them 2; number them 0 to 1)"},
        Refused{"a negative number", R"("id2label":{"-1":"A"})", "numbers one of them -1"},
        Refused{"a number twice", R"("id2label":{"0":"A"," 0":"B"})", "numbers two labels 0"},
        Refused{"an id twice", R"("label2id":{"A":0,"B":0})", "numbers two labels 0"},
        Refused{"no labels", R"("num_labels":0)", R"("num_labels" is 0)"},
        Refused{"labels without end", R"("num_labels":9223372036854775807)",
                "a head has 1 to 1000000 labels"},
        Refused{"one of one", R"("num_labels":1,"problem_type":"single_label_classification")",
                "leaves nothing to choose"},
        Refused{"an unknown problem", R"("problem_type":"ranking")",
                R"("problem_type" is "ranking"; it is one of "regression")"}));

// As transformers 5.24 has them.
TEST(BertConfig, LabelsThatAreNoTextsAreNamedAsInPython) {
  EXPECT_THAT(
      parse(R"({"model_type":"bert","id2label":{"0":true,"1":false,"2":null,"3":7,"4":0.5}})")
          .id2label,
      ElementsAre("True", "False", "None", "7", "0.5"));
  EXPECT_THROW((void)parse(R"({"model_type":"bert","id2label":{"0":[1]}})"), FormatError);
}

TEST(BertConfig, TheNumberOfLabelsDecides) {
  const auto labels = [](const std::string& fields) {
    return parse(R"({"model_type":"bert",)" + fields + "}").id2label;
  };
  EXPECT_THAT(labels(R"("num_labels":3,"id2label":{"0":"a","1":"b"})"),
              ElementsAre("LABEL_0", "LABEL_1", "LABEL_2"));
  EXPECT_THAT(labels(R"("num_labels":1,"id2label":{"0":"a","1":"b"})"), ElementsAre("LABEL_0"));
  EXPECT_THAT(labels(R"("num_labels":2,"id2label":{"0":"a","1":"b"})"), ElementsAre("a", "b"));
  EXPECT_THAT(labels(R"("num_labels":2)"), ElementsAre("LABEL_0", "LABEL_1"));
  const auto warning = [](const std::string& json) {
    return internal::warning_of_labels(nlohmann::json::parse(json), "config.json").value_or("");
  };
  EXPECT_THAT(warning(R"({"num_labels":3,"id2label":{"0":"a","1":"b"}})"),
              AllOf(HasSubstr("\"num_labels\" is 3"), HasSubstr("\"id2label\" names 2 labels"),
                    HasSubstr("LABEL_2")));
  EXPECT_EQ(warning(R"({"num_labels":2,"id2label":{"0":"a","1":"b"}})"), "");
  EXPECT_EQ(warning(R"({"num_labels":2})"), "");
}

TEST(BertConfig, RefusesOtherModelsByName) {
  for (const auto* type : {"roberta", "albert", "gpt2", "modernbert"}) {
    try {
      (void)parse(R"({"vocab_size":10,"model_type":")" + std::string(type) + "\"}");
      FAIL() << type;
    } catch (const ModelError& error) {
      EXPECT_THAT(error.what(), AllOf(StartsWith("config.json: this is a \"" + std::string(type)),
                                      HasSubstr("choose a checkpoint of one of those")));
    }
  }
  EXPECT_THROW((void)parse(R"({"model_type":1})"), FormatError);
  // Without a type the sizes of Google's file must be there.
  for (const auto* other :
       {"{}", R"({"vocab_size":30522})", R"({"pooling_mode_mean_tokens":true})"}) {
    try {
      (void)parse(other);
      FAIL() << other;
    } catch (const ModelError& error) {
      EXPECT_THAT(error.what(), HasSubstr("this does not describe a BERT"));
    }
  }
}

TEST(BertConfig, RefusesWhatIsNotAJsonObject) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "config.json is not valid JSON"},
      {"{", "at byte 2"},
      {R"({"model_type":"bert","layer_norm_eps":NaN})", "not valid JSON"},
      {R"({"model_type":"bert","layer_norm_eps":Infinity})", "not valid JSON"},
      {R"({"model_type":"bert","layer_norm_eps":1e999})", "config.json is not usable JSON"},
      {R"({"model_type":"bert"} trailing)", "not valid JSON"},
      {"{\"model_type\":\"bert\",\"x\":\"\xff\"}", "not valid JSON"},
      {std::string("{\"model_type\":\"bert\"}\0{", 23), "a zero byte at byte 22"},
      {"[]", "expected a JSON object, found an array"},
      {"\"bert\"", "expected a JSON object, found a string"},
      {"null", "expected a JSON object, found a null"},
      {R"({"model_type":"bert","x":)" + std::string(100000, '['), "nested more than 64 levels"},
      {R"({"model_type":"bert","x":)" + std::string(70, '[') + std::string(70, ']') + "}",
       "nested more than 64 levels"},
  };
  for (const auto& [text, message] : cases) {
    try {
      (void)parse(text);
      FAIL() << text.substr(0, 80);
    } catch (const FormatError& error) {
      EXPECT_THAT(error.what(),
                  AllOf(StartsWith("config.json"), HasSubstr(message), Not(HasSubstr("\n"))));
    }
  }
}

TEST(BertConfig, ChecksWhatAProgramMade) {
  const auto message = [](const BertConfig& config) -> std::string {
    try {
      (void)config.to_json();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message({}), "");
  EXPECT_THAT(message({.hidden_size = 100}), StartsWith("this BertConfig: \"hidden_size\" 100"));
  EXPECT_THAT(message({.layer_norm_eps = std::nan("")}), HasSubstr("\"layer_norm_eps\" is nan"));
  EXPECT_THAT(message({.layer_norm_eps = std::numeric_limits<double>::infinity()}),
              HasSubstr("\"layer_norm_eps\" is inf"));
  EXPECT_THAT(message({.hidden_dropout_prob = std::nan("")}), HasSubstr("is nan"));
  EXPECT_THAT(message({.extra_json = "{"}), HasSubstr("BertConfig::extra_json is not valid JSON"));
  EXPECT_THAT(message({.id2label = {"\xff"}}), HasSubstr("not UTF-8"));
}

TEST(BertConfig, NamedFieldsWinOverExtraOnes) {
  BertConfig config;
  config.extra_json = R"({"vocab_size": 7, "label2id": {"x": 9}, "note": "kept"})";
  config.id2label = {"A", "B"};
  const auto written = json::parse(config.to_json());
  EXPECT_EQ(written["vocab_size"], 30522);
  EXPECT_EQ(written["note"], "kept");
  EXPECT_EQ(written["label2id"], json::parse(R"({"A":0,"B":1})"));
}

TEST(BertConfig, SavesAndLoadsADirectory) {
  const TempDirectory directory;
  const auto deeper = directory.path() / "new" / "model";
  const auto config = golden("labels_named");
  config.save_pretrained(deeper);
  EXPECT_EQ(read_file(deeper / "config.json"), read_file(kConfigGoldens / "labels_named.json"));
  EXPECT_EQ(BertConfig::from_pretrained(deeper).to_json(), config.to_json());
}

TEST(BertConfig, SaysWhatIsMissing) {
  const TempDirectory directory;
  const auto message = [](const fs::path& path) -> std::string {
    try {
      (void)BertConfig::from_pretrained(path);
    } catch (const IoError& error) {
      return error.what();
    }
    return "no IoError";
  };
  EXPECT_THAT(message(directory.path()), HasSubstr("has no config.json"));
  EXPECT_THAT(message(directory.path() / "nowhere"), HasSubstr("no model directory"));
  fs::create_directory(directory.path() / "config.json");
  EXPECT_THAT(message(directory.path()), HasSubstr("it is a directory"));
  EXPECT_THROW(BertConfig{}.save_pretrained(directory.write("file", "")), IoError);
}

}  // namespace
}  // namespace cloze
