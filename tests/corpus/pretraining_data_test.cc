#include "corpus/pretraining_data.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/error.h"
#include "made_up_text.h"
#include "places.h"

namespace cloze {
namespace {

using internal::PretrainingBatch;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

// Everything that a batch holds, to compare.
using Content = std::vector<std::vector<std::int32_t>>;

Content content(const PretrainingBatch& batch) {
  return {batch.inputs.input_ids,    batch.inputs.token_type_ids, batch.inputs.position_ids,
          batch.inputs.cu_seqlens,   batch.masked_positions,      batch.masked_labels,
          batch.next_sentence_labels};
}

std::vector<Content> all(PretrainingData data) {
  std::vector<Content> result;
  PretrainingBatch batch;
  while (data.next(batch)) result.push_back(content(batch));
  return result;
}

// The sequences of a batch as they were before masking.
std::vector<std::vector<std::int32_t>> originals(const PretrainingBatch& batch) {
  auto ids = batch.inputs.input_ids;
  for (std::size_t i = 0; i < batch.masked_positions.size(); ++i) {
    ids.at(static_cast<std::size_t>(batch.masked_positions[i])) = batch.masked_labels[i];
  }
  std::vector<std::vector<std::int32_t>> result;
  for (std::int64_t s = 0; s < batch.inputs.sequences(); ++s) {
    const auto begin = ids.begin() + batch.inputs.cu_seqlens[static_cast<std::size_t>(s)];
    result.emplace_back(begin, begin + batch.inputs.length(s));
  }
  return result;
}

class PretrainingDataTest : public ::testing::Test {
 protected:
  explicit PretrainingDataTest() : text_(random_, 120, 20, 15) { use(text_.text()); }

  void use(const std::string& text, std::int64_t block_bytes = 256) {
    const std::vector<std::filesystem::path> paths{folder_.write("text", text)};
    corpus_ = Corpus::open(paths, {.lines = LineKind::sentence, .block_bytes = block_bytes});
  }

  PretrainingData data(PretrainingDataOptions options, const DataPosition& position = {}) const {
    return {corpus_, tokenizer_, options, position};
  }

  static PretrainingDataOptions small() {
    PretrainingDataOptions options;
    options.max_length = 48;
    options.batch_sequences = 7;
    options.unit_blocks = 5;
    options.seed = 3;
    options.epochs = 2;
    return options;
  }

  // Random text, but the same in every run: the tests compare what is made of it with itself.
  std::mt19937 random_{20};
  testing::MadeUpText text_;
  testing::TempDirectory folder_;
  testing::MadeUpVocabulary vocabulary_{20000};
  Tokenizer tokenizer_ = vocabulary_.tokenizer();
  std::shared_ptr<const Corpus> corpus_;
};

TEST_F(PretrainingDataTest, BatchesAreWellFormed) {
  for (const bool pairs : {true, false}) {
    for (const std::int64_t sequences : {0, 7}) {
      auto options = small();
      options.next_sentence = pairs;
      options.batch_sequences = sequences;
      options.batch_tokens = 200;
      auto stream = data(options);
      PretrainingBatch batch;
      int batches = 0;
      for (; stream.next(batch); ++batches) {
        const auto& inputs = batch.inputs;
        const auto tokens = static_cast<std::size_t>(inputs.total_tokens());
        ASSERT_EQ(inputs.token_type_ids.size(), tokens);
        ASSERT_EQ(inputs.position_ids.size(), tokens);
        ASSERT_EQ(inputs.cu_seqlens.front(), 0);
        ASSERT_EQ(inputs.cu_seqlens.back(), static_cast<std::int32_t>(tokens));
        if (sequences == 0) {
          ASSERT_LE(tokens, 200U);
        }
        if (sequences > 0) {
          ASSERT_LE(inputs.sequences(), sequences);
        }
        ASSERT_EQ(batch.next_sentence_labels.size(),
                  pairs ? static_cast<std::size_t>(inputs.sequences()) : 0U);
        ASSERT_TRUE(std::is_sorted(batch.masked_positions.begin(), batch.masked_positions.end()));
        const auto before = originals(batch);
        std::size_t at = 0;
        for (const auto& ids : before) {
          ASSERT_LE(ids.size(), 48U);
          ASSERT_EQ(ids.front(), tokenizer_.cls_token_id());
          ASSERT_EQ(ids.back(), tokenizer_.sep_token_id());
          ASSERT_EQ(std::count(ids.begin(), ids.end(), tokenizer_.sep_token_id()), pairs ? 2 : 1);
          std::int32_t type = 0;
          for (std::size_t i = 0; i < ids.size(); ++i, ++at) {
            ASSERT_EQ(inputs.position_ids[at], static_cast<std::int32_t>(i));
            ASSERT_EQ(inputs.token_type_ids[at], type);
            if (ids[i] == tokenizer_.sep_token_id()) type = 1;
          }
        }
      }
      EXPECT_GT(batches, 50);
    }
  }
}

// The words say where they are from: what follows really follows, and what is random is from
// another document.
TEST_F(PretrainingDataTest, PairsAreWhatTheirLabelsSay) {
  const auto document_of = text_.document_of();
  auto stream = data(small());
  PretrainingBatch batch;
  int random_next = 0, pairs = 0;
  while (stream.next(batch)) {
    const auto sequences = originals(batch);
    for (std::size_t s = 0; s < sequences.size(); ++s) {
      const auto& ids = sequences[s];
      const auto middle = std::find(ids.begin(), ids.end(), tokenizer_.sep_token_id());
      const std::vector<std::int32_t> first(ids.begin() + 1, middle),
          second(middle + 1, ids.end() - 1);
      ASSERT_FALSE(first.empty());
      ASSERT_FALSE(second.empty());
      const auto document = [&](std::int32_t id) {
        return document_of.at(static_cast<std::size_t>(id));
      };
      for (const auto* segment : {&first, &second}) {
        for (std::size_t i = 1; i < segment->size(); ++i) {
          ASSERT_EQ((*segment)[i], (*segment)[i - 1] + 1);
          ASSERT_EQ(document((*segment)[i]), document((*segment)[0]));
        }
      }
      const bool is_random = batch.next_sentence_labels[s] == 1;
      ASSERT_EQ(document(first[0]) != document(second[0]), is_random);
      if (!is_random) {
        ASSERT_LT(first.back(), second.front());
      }
      random_next += is_random ? 1 : 0;
      ++pairs;
    }
  }
  EXPECT_GT(random_next, pairs * 45 / 100);
  EXPECT_LT(random_next, pairs * 70 / 100);  // documents of one sentence are among them
}

TEST_F(PretrainingDataTest, SingleSequencesHoldEveryWordOnceAnEpoch) {
  auto options = small();
  options.next_sentence = false;
  auto stream = data(options);
  std::map<std::int32_t, int> seen;
  PretrainingBatch batch;
  while (stream.next(batch)) {
    for (const auto& ids : originals(batch)) {
      for (std::size_t i = 1; i + 1 < ids.size(); ++i) ++seen[ids[i]];
    }
  }
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(text_.words));
  for (const auto& [id, count] : seen) ASSERT_EQ(count, 2) << id;  // two epochs
}

TEST_F(PretrainingDataTest, ASentenceTooLongForASequenceIsCutAndNotLost) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += fmt::format("w{}x ", i);
  use(text + "\n\nw300x w301x\nw302x\n");
  for (const bool pairs : {true, false}) {
    auto options = small();
    options.next_sentence = pairs;
    options.epochs = 1;
    auto stream = data(options);
    std::set<std::int32_t> seen;
    PretrainingBatch batch;
    bool followed = false;
    while (stream.next(batch)) {
      for (const auto& ids : originals(batch)) seen.insert(ids.begin(), ids.end());
      followed |=
          std::count(batch.next_sentence_labels.begin(), batch.next_sentence_labels.end(), 0) > 0;
    }
    EXPECT_EQ(followed, pairs);
    // Pairs lose what they have to be truncated by.
    EXPECT_GE(seen.size(), pairs ? 255U : 305U);
  }
}

TEST_F(PretrainingDataTest, BatchesAreTheSameAtAnyNumberOfThreads) {
  for (const bool pairs : {true, false}) {
    auto options = small();
    options.next_sentence = pairs;
    options.workers = 0;
    const auto expected = all(data(options));
    EXPECT_GT(expected.size(), 100U);
    for (const int workers : {1, 2, 4}) {
      options.workers = workers;
      EXPECT_EQ(all(data(options)), expected) << workers;
    }
  }
}

TEST_F(PretrainingDataTest, GoesOnFromEveryPosition) {
  auto options = small();
  for (const std::int64_t tokens : {0, 150}) {
    options.batch_tokens = tokens;
    options.batch_sequences = tokens == 0 ? 5 : 0;
    options.workers = 0;
    auto stream = data(options);
    std::vector<DataPosition> positions{stream.position()};
    std::vector<Content> expected;
    PretrainingBatch batch;
    while (stream.next(batch)) {
      expected.push_back(content(batch));
      positions.push_back(stream.position());
    }
    EXPECT_EQ(positions.back(), (DataPosition{2, 0, 0}));
    auto other = data(options);
    options.workers = 2;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      other.seek(positions[i]);
      EXPECT_EQ(other.position(), positions[i]);
      ASSERT_TRUE(other.next(batch));
      ASSERT_EQ(content(batch), expected[i]) << i;
      EXPECT_EQ(other.position(), positions[i + 1]);
      if (i % 20 != 0) continue;
      // To the end, from a new process so to speak.
      const std::vector<Content> rest(expected.begin() + static_cast<std::ptrdiff_t>(i),
                                      expected.end());
      ASSERT_EQ(all(data(options, positions[i])), rest);
    }
    other.seek(positions.back());
    EXPECT_FALSE(other.next(batch));
  }
}

TEST_F(PretrainingDataTest, EpochsDifferUnlessTheyAreDuplicates) {
  const auto epochs = [&](std::int64_t duplicate_factor) {
    auto options = small();
    options.batch_sequences = 1;
    options.duplicate_factor = duplicate_factor;
    options.epochs = 4;
    auto stream = data(options);
    std::vector<std::vector<Content>> result(4);
    PretrainingBatch batch;
    for (auto epoch = stream.position().epoch; stream.next(batch);
         epoch = stream.position().epoch) {
      result.at(static_cast<std::size_t>(epoch)).push_back(content(batch));
    }
    return result;
  };
  const auto same = [](std::vector<Content> a, std::vector<Content> b) {
    std::sort(a.begin(), a.end());
    std::sort(b.begin(), b.end());
    return a == b;
  };
  const auto dynamic = epochs(0);
  EXPECT_FALSE(same(dynamic[0], dynamic[1]));
  const auto fixed = epochs(2);
  EXPECT_FALSE(same(fixed[0], fixed[1]));
  EXPECT_TRUE(same(fixed[0], fixed[2]));
  EXPECT_TRUE(same(fixed[1], fixed[3]));
  EXPECT_NE(fixed[0], fixed[2]);  // in another order
}

TEST_F(PretrainingDataTest, SeedsDiffer) {
  auto options = small();
  const auto one = all(data(options));
  options.seed = 4;
  EXPECT_NE(all(data(options)), one);
}

TEST_F(PretrainingDataTest, NeighboursAreFromManyDocuments) {
  use(text_.text(), 1024);
  auto options = small();
  options.unit_blocks = 64;
  options.batch_sequences = 20;
  options.epochs = 1;
  options.next_sentence = false;
  const auto document_of = text_.document_of();
  auto stream = data(options);
  PretrainingBatch batch;
  double documents = 0, batches = 0;
  while (stream.next(batch)) {
    if (batch.inputs.sequences() < 20) continue;
    std::set<int> seen;
    for (const auto& ids : originals(batch))
      seen.insert(document_of.at(static_cast<std::size_t>(ids[1])));
    documents += static_cast<double>(seen.size());
    ++batches;
  }
  EXPECT_GT(documents / batches, 14);
}

TEST_F(PretrainingDataTest, HeldOutDocumentsAreNeverTrainedOn) {
  for (const std::int64_t block : {64, 4096}) {
    use(text_.text(), block);
    auto options = small();
    options.held_out_share = 0.1;
    const auto document_of = text_.document_of();
    const auto documents = [&](const PretrainingBatch& batch, std::set<int>& seen) {
      for (const auto& ids : originals(batch)) {
        for (const auto id : ids) {
          if (id >= 5) seen.insert(document_of.at(static_cast<std::size_t>(id)));
        }
      }
    };
    std::set<int> trained, held;
    auto stream = data(options);
    EXPECT_EQ(stream.documents(), 108);
    PretrainingBatch batch;
    while (stream.next(batch)) documents(batch, trained);
    const auto evaluation = evaluation_set(corpus_, tokenizer_, options);
    for (const auto& one : evaluation) documents(one, held);
    EXPECT_EQ(held.size(), 12U);
    EXPECT_EQ(trained.size(), 108U);
    for (const auto document : held) EXPECT_FALSE(trained.contains(document));
    // The same again, whatever the seed of training.
    options.seed = 77;
    std::set<int> again;
    for (const auto& one : evaluation_set(corpus_, tokenizer_, options)) documents(one, again);
    EXPECT_EQ(again, held);
  }
}

TEST_F(PretrainingDataTest, EvaluationSets) {
  auto options = small();
  const auto whole = evaluation_set(corpus_, tokenizer_, options);
  const auto again = evaluation_set(corpus_, tokenizer_, options);
  const auto some = evaluation_set(corpus_, tokenizer_, options, 17);
  ASSERT_EQ(whole.size(), again.size());
  for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_EQ(content(whole[i]), content(again[i]));
  ASSERT_EQ(some.size(), 3U);
  EXPECT_EQ(content(some[0]), content(whole[0]));
  EXPECT_EQ(some[2].inputs.sequences(), 3);
  options.held_out = true;
  options.held_out_share = 0;
  EXPECT_THROW(data(options), ArgumentError);
}

// Bar: 15 % +- 0.1, 80/10/10 +- 0.5, random next 50 % +- 1.
TEST_F(PretrainingDataTest, Shares) {
  std::mt19937 random(9);
  // Long documents: what is left at a document's end is often one sentence, whose next is random
  // always.
  const testing::MadeUpText text(random, 40, 2000, 12, 60);
  const testing::MadeUpVocabulary vocabulary(text.words);
  tokenizer_ = vocabulary.tokenizer();
  use(text.text(), std::int64_t{1} << 20);  // few sections, whose last chunk may be one sentence
  PretrainingDataOptions options;
  options.short_sequence_probability = 0;
  options.epochs = 16;
  auto stream = data(options);
  double tokens = 0, masked = 0, mask = 0, same = 0, pairs = 0, random_next = 0;
  PretrainingBatch batch;
  while (stream.next(batch)) {
    tokens += static_cast<double>(batch.inputs.total_tokens());
    masked += static_cast<double>(batch.masked());
    for (std::size_t i = 0; i < batch.masked_positions.size(); ++i) {
      const auto shown =
          batch.inputs.input_ids[static_cast<std::size_t>(batch.masked_positions[i])];
      mask += shown == *tokenizer_.mask_token_id() ? 1 : 0;
      same += shown == batch.masked_labels[i] ? 1 : 0;
    }
    pairs += static_cast<double>(batch.next_sentence_labels.size());
    for (const auto label : batch.next_sentence_labels) random_next += label;
  }
  ASSERT_GT(pairs, 10000);
  EXPECT_NEAR(masked / tokens, 0.15, 0.001);
  EXPECT_NEAR(mask / masked, 0.8, 0.005);
  EXPECT_NEAR(same / masked, 0.1, 0.005);
  EXPECT_NEAR(random_next / pairs, 0.5, 0.01);
  // What was said before the first batch.
  EXPECT_NEAR(static_cast<double>(stream.tokens_per_epoch()), tokens / 16, 0.2 * tokens / 16);
}

TEST_F(PretrainingDataTest, DefaultPredictions) {
  EXPECT_EQ((PretrainingDataOptions{.max_length = 128}).predictions(), 20);
  EXPECT_EQ((PretrainingDataOptions{.max_length = 512}).predictions(), 77);
  EXPECT_EQ((PretrainingDataOptions{.max_length = 100}).predictions(), 15);
  EXPECT_EQ((PretrainingDataOptions{.max_length = 128, .max_predictions = 7}).predictions(), 7);
}

TEST_F(PretrainingDataTest, FingerprintTellsWhatThePositionsDependOn) {
  auto options = small();
  const auto print = data(options).fingerprint();
  options.workers = 3;
  options.epochs = 9;
  options.batch_sequences = 8;
  EXPECT_EQ(data(options).fingerprint(), print);
  options.seed = 8;
  EXPECT_NE(data(options).fingerprint(), print);
  options = small();
  options.whole_words = true;
  EXPECT_NE(data(options).fingerprint(), print);
  use(text_.text() + "w0x");
  EXPECT_NE(data(small()).fingerprint(), print);
}

TEST_F(PretrainingDataTest, TwoDocumentsInUnitsOfOneBlock) {
  std::string text;
  for (int document = 0; document < 2; ++document) {
    for (int i = 0; i < 400; ++i) text += fmt::format("w{}x\n", 400 * document + i);
    text += "\n";
  }
  use(text);
  auto options = small();
  options.unit_blocks = 1;  // so that most units hold one document alone
  auto stream = data(options);
  PretrainingBatch batch;
  while (stream.next(batch)) {
    const auto sequences = originals(batch);
    for (std::size_t s = 0; s < sequences.size(); ++s) {
      const bool crosses = (sequences[s][1] < 405) != (sequences[s][sequences[s].size() - 2] < 405);
      ASSERT_EQ(crosses, batch.next_sentence_labels[s] == 1);
    }
  }
}

TEST_F(PretrainingDataTest, Errors) {
  const auto refuses = [&](auto change, const char* message) {
    auto options = small();
    change(options);
    EXPECT_THAT([&] { data(options); }, ThrowsMessage<ArgumentError>(HasSubstr(message)));
  };
  refuses([](auto& o) { o.max_length = 4; }, "sequences of 4 tokens");
  refuses([](auto& o) { o.masked_probability = 0; }, "share of masked tokens");
  refuses([](auto& o) { o.short_sequence_probability = 2; }, "short sequences");
  refuses([](auto& o) { o.batch_sequences = 0, o.batch_tokens = 10; }, "cannot hold a sequence");
  refuses([](auto& o) { o.held_out_share = 1; }, "held-out documents");
  refuses([](auto& o) { o.workers = -1; }, "background threads");
  EXPECT_THAT(
      [&] {
        data(small(), {0, 100000, 0});
      },
      ThrowsMessage<ArgumentError>(HasSubstr("of other data")));
  auto beyond = data(small(), {0, 0, 100000});
  PretrainingBatch batch;
  EXPECT_THAT([&] { beyond.next(batch); },
              ThrowsMessage<ArgumentError>(HasSubstr("of other data")));

  tokenizer_ = testing::MadeUpVocabulary(20000, 0, false).tokenizer();
  EXPECT_THAT([&] { data(small()); }, ThrowsMessage<ModelError>(HasSubstr("no mask token")));
}

TEST_F(PretrainingDataTest, TextsThatDoNotDo) {
  use("w1x w2x\nw3x\n");
  EXPECT_THAT([&] { data(small()); }, ThrowsMessage<ArgumentError>(HasSubstr("a single document")));
  auto options = small();
  options.next_sentence = false;
  EXPECT_THAT(all(data(options)), ::testing::SizeIs(1));  // two epochs of one sequence, in a batch
  options.held_out_share = 0.5;
  EXPECT_THAT([&] { data(options); },
              ThrowsMessage<ArgumentError>(HasSubstr("1 document, of which")));

  use("w1x\n\nw2x\n\nw3x\n");
  EXPECT_THAT(data(small()).warnings(), ElementsAre(HasSubstr("one sentence each")));
  use("w1x\nw2x\n\nw3x\n");
  EXPECT_THAT(data(small()).warnings(), IsEmpty());
  use("w1x foreign\nstrange\n\nw3x\n");
  EXPECT_THAT(data(small()).warnings(), ElementsAre(HasSubstr("unknown to the vocabulary")));

  use("\x01\x02\n\n\x03\n");  // control characters, which the tokenizer drops
  auto nothing = data(small());
  PretrainingBatch batch;
  EXPECT_THAT([&] { nothing.next(batch); },
              ThrowsMessage<FormatError>(HasSubstr("nothing is left")));
}

TEST_F(PretrainingDataTest, ModelsThatDoNotFit) {
  BertConfig config;
  config.vocab_size = tokenizer_.vocab_size();
  EXPECT_NO_THROW(require_fitting(tokenizer_, small(), config));
  --config.vocab_size;
  EXPECT_THROW(require_fitting(tokenizer_, small(), config), ModelError);
  ++config.vocab_size;
  config.max_position_embeddings = 47;
  EXPECT_THROW(require_fitting(tokenizer_, small(), config), ModelError);
  config.max_position_embeddings = 48;
  config.type_vocab_size = 1;
  EXPECT_THROW(require_fitting(tokenizer_, small(), config), ModelError);
}

TEST_F(PretrainingDataTest, AFileThatVanishesIsAnErrorOfNext) {
  for (const int workers : {0, 2}) {
    use(text_.text());
    auto options = small();
    options.workers = workers;
    options.epochs = 0;
    auto stream = data(options);
    PretrainingBatch batch;
    ASSERT_TRUE(stream.next(batch));
    std::filesystem::remove(folder_.path() / "text");
    EXPECT_THAT(
        [&] {
          while (stream.next(batch)) {
          }
        },
        ThrowsMessage<IoError>(HasSubstr("No such file")));
  }
}

// Real text, where it is at hand.
TEST(PretrainingDataOnBooks, Shares) {
  const char* folder = std::getenv("CLOZE_TEST_DATA");
  const std::filesystem::path place = folder != nullptr
                                          ? std::filesystem::path(folder)
                                          : std::filesystem::path(kSourceDir) / "../shared/data";
  const auto books = place / "gutenberg.dev.txt";
  const auto words = place / "vocab.bert-base-uncased.txt";
  if (!std::filesystem::exists(books) || !std::filesystem::exists(words)) {
    GTEST_SKIP() << "no books in " << place << ": set CLOZE_TEST_DATA";
  }
  const testing::TempDirectory vocabulary;
  std::filesystem::copy_file(words, vocabulary.path() / "vocab.txt");
  const auto tokenizer = Tokenizer::from_pretrained(vocabulary.path());
  const auto corpus = Corpus::open(std::vector{books});
  EXPECT_EQ(corpus->lines(), LineKind::paragraph);
  PretrainingDataOptions options;
  options.epochs = 4;
  PretrainingData stream(corpus, tokenizer, options);
  EXPECT_THAT(stream.warnings(), IsEmpty());
  double tokens = 0, masked = 0, mask = 0, same = 0;
  PretrainingBatch batch;
  while (stream.next(batch)) {
    tokens += static_cast<double>(batch.inputs.total_tokens());
    masked += static_cast<double>(batch.masked());
    for (std::size_t i = 0; i < batch.masked_positions.size(); ++i) {
      const auto shown =
          batch.inputs.input_ids[static_cast<std::size_t>(batch.masked_positions[i])];
      mask += shown == *tokenizer.mask_token_id() ? 1 : 0;
      same += shown == batch.masked_labels[i] ? 1 : 0;
    }
  }
  EXPECT_NEAR(masked / tokens, 0.15, 0.001);
  EXPECT_NEAR(mask / masked, 0.8, 0.005);
  EXPECT_NEAR(same / masked, 0.1, 0.005);
}

}  // namespace
}  // namespace cloze
