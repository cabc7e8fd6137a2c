// What all public models share: names as well as directories, what the encoder computes beside the
// head, and saving.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/bert.h"
#include "cloze/checkpoint.h"
#include "cloze/error.h"
#include "core/temp_directory.h"
#include "goldens/golden.h"

namespace cloze::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

namespace fs = std::filesystem;

static_assert(!std::is_default_constructible_v<BertModel>);
static_assert(!std::is_default_constructible_v<BertForMaskedLM>);
static_assert(!std::is_default_constructible_v<BertForNextSentencePrediction>);
static_assert(!std::is_default_constructible_v<BertForPreTraining>);
static_assert(!std::is_default_constructible_v<BertForSequenceClassification>);
static_assert(!std::is_default_constructible_v<BertForTokenClassification>);
static_assert(!std::is_default_constructible_v<BertForQuestionAnswering>);
static_assert(!std::is_default_constructible_v<BertForMultipleChoice>);

void expect_same_tensors(const fs::path& a, const fs::path& b) {
  const auto first = Checkpoint::open(a), second = Checkpoint::open(b);
  EXPECT_EQ(first.names(), second.names());
  for (const auto& name : first.names()) {
    if (!second.contains(name)) continue;
    const auto x = first.tensor(name), y = second.tensor(name);
    EXPECT_TRUE(x.dtype() == y.dtype() && x.shape() == y.shape() &&
                std::equal(x.bytes().begin(), x.bytes().end(), y.bytes().begin(), y.bytes().end()))
        << name;
  }
}

template <class Model>
void expect_saved_as_loaded(const char* name, const char* architecture) {
  SCOPED_TRACE(name);
  const TempDirectory directory;
  Model::from_pretrained(golden_directory(name), {.precision = Precision::int8})
      .save_pretrained(directory.path());
  expect_same_tensors(golden_directory(name), directory.path());
  const auto config = BertConfig::from_pretrained(directory.path());
  EXPECT_THAT(config.architectures, ElementsAre(architecture));
  EXPECT_EQ(config.id2label, BertConfig::from_pretrained(golden_directory(name)).id2label);
}

TEST(PublicModels, SaveTheBytesThatTheyWereLoadedFrom) {
  expect_saved_as_loaded<BertModel>("bare_odd", "BertModel");
  expect_saved_as_loaded<BertForPreTraining>("pretraining", "BertForPreTraining");
  expect_saved_as_loaded<BertForNextSentencePrediction>("next_sentence_f16",
                                                        "BertForNextSentencePrediction");
  expect_saved_as_loaded<BertForSequenceClassification>("sequence_3_labels",
                                                        "BertForSequenceClassification");
  expect_saved_as_loaded<BertForTokenClassification>("token_5_layers",
                                                     "BertForTokenClassification");
  expect_saved_as_loaded<BertForMultipleChoice>("choice", "BertForMultipleChoice");
  expect_saved_as_loaded<BertForMaskedLM>("distilbert/masked_lm", "DistilBertForMaskedLM");
}

TEST(PublicModels, SaveTheirClassAlone) {
  const TempDirectory directory;
  BertForMaskedLM::from_pretrained(golden_directory("pretraining"))
      .save_pretrained(directory.path());
  const auto saved = Checkpoint::open(directory.path());
  EXPECT_FALSE(saved.contains("cls.seq_relationship.weight"));
  EXPECT_FALSE(saved.contains("bert.pooler.dense.weight"));
  const auto golden = Golden::named("pretraining");
  const auto positions = golden.ints("positions");
  EXPECT_EQ(max_abs_difference(
                BertForMaskedLM::from_pretrained(directory.path())(golden.batch(), positions),
                BertForMaskedLM::from_pretrained(golden_directory("pretraining"))(golden.batch(),
                                                                                  positions)),
            0.0);
}

TEST(PublicModels, SaveOverTheirOwnDirectory) {
  const TempDirectory directory;
  fs::copy(golden_directory("bare_odd"), directory.path(), fs::copy_options::recursive);
  const auto model = BertModel::from_pretrained(directory.path());
  model.save_pretrained(directory.path());
  const auto golden = Golden::named("bare_odd");
  expect_same_tensors(golden_directory("bare_odd"), directory.path());
  EXPECT_EQ(max_abs_difference(
                model(golden.batch()).last_hidden_state,
                BertModel::from_pretrained(directory.path())(golden.batch()).last_hidden_state),
            0.0);
}

TEST(PublicModels, RandomOnesAreMadeAgainFromTheirSeed) {
  auto config = BertConfig::from_pretrained(golden_directory("pretraining"));
  const auto golden = Golden::named("pretraining");
  const auto positions = golden.ints("positions");
  for (const bool tied : {true, false}) {
    config.tie_word_embeddings = tied;
    const TempDirectory directory;
    const auto model = BertForPreTraining::random(config, 7);
    model.save_pretrained(directory.path());
    const auto loaded = BertForPreTraining::from_pretrained(directory.path());
    EXPECT_EQ(loaded.num_parameters(), model.num_parameters());
    EXPECT_THAT(loaded.config().architectures, ElementsAre("BertForPreTraining"));
    const auto wanted = model(golden.batch(), positions), found = loaded(golden.batch(), positions);
    EXPECT_EQ(max_abs_difference(found.prediction_logits, wanted.prediction_logits), 0.0);
    EXPECT_EQ(max_abs_difference(found.seq_relationship_logits, wanted.seq_relationship_logits),
              0.0);
    const auto other = BertForPreTraining::random(config, 8)(golden.batch(), positions);
    EXPECT_GT(max_abs_difference(other.prediction_logits, wanted.prediction_logits), 0.0);
  }
}

TEST(PublicModels, CountTheirParameters) {
  // sum(p.numel() for p in model.parameters()) of each class.
  const auto count = []<class Model>(const char* name) {
    return Model::from_pretrained(golden_directory(name)).num_parameters();
  };
  EXPECT_EQ(count.operator()<BertForPreTraining>("pretraining"), 22239);
  EXPECT_EQ(count.operator()<BertForMaskedLM>("masked_lm_untied"), 34400);
  EXPECT_EQ(count.operator()<BertForMaskedLM>("masked_lm_tied_stored_bf16"), 12573);
  EXPECT_EQ(count.operator()<BertForMultipleChoice>("choice"), 23081);
}

TEST(PublicModels, GiveWhatTheEncoderComputesBesideTheHead) {
  const auto directory = golden_directory("sequence_3_labels");
  const auto batch = Golden::named("sequence_3_labels").batch();
  const auto model = BertForSequenceClassification::from_pretrained(directory);
  const auto plain = model(batch);
  const auto wanted = BertModel::from_pretrained(directory)(
      batch, {.output_hidden_states = true, .output_attentions = true});
  BertOutput encoder;
  Profile profile;
  const auto logits = model(batch, {.output_hidden_states = true,
                                    .output_attentions = true,
                                    .profile = &profile,
                                    .encoder_output = &encoder});
  EXPECT_LE(max_abs_difference(logits, plain), 1e-6);
  EXPECT_FALSE(profile.empty());
  EXPECT_EQ(max_abs_difference(encoder.last_hidden_state, wanted.last_hidden_state), 0.0);
  EXPECT_EQ(max_abs_difference(encoder.pooler_output, wanted.pooler_output), 0.0);
  ASSERT_EQ(encoder.hidden_states.size(), wanted.hidden_states.size());
  ASSERT_EQ(encoder.attentions.size(), wanted.attentions.size());
  EXPECT_EQ(max_abs_difference(encoder.hidden_states[1], wanted.hidden_states[1]), 0.0);
  EXPECT_EQ(max_abs_difference(encoder.attentions[0], wanted.attentions[0]), 0.0);
  EXPECT_THAT([&] { (void)model(batch, {.output_attentions = true}); },
              ThrowsMessage<ArgumentError>(HasSubstr("encoder_output")));
}

/// Sets an environment variable for as long as it lives.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    setenv(name, value.c_str(), 1);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() {
    if (before_) {
      setenv(name_, before_->c_str(), 1);
    } else {
      unsetenv(name_);
    }
  }

 private:
  const char* name_;
  std::optional<std::string> before_;
};

TEST(PublicModels, AreFoundByName) {
  const TempDirectory cache;
  fs::copy(golden_directory("bare_odd"), cache.path() / "my-bert", fs::copy_options::recursive);
  const Environment variable("CLOZE_CACHE", cache.path().string());
  EXPECT_EQ(BertModel::from_pretrained("my-bert").num_parameters(),
            BertModel::from_pretrained(golden_directory("bare_odd")).num_parameters());
}

}  // namespace
}  // namespace cloze::testing
