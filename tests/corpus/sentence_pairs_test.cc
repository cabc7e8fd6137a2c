#include "corpus/sentence_pairs.h"

#include <algorithm>
#include <random>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

namespace cloze {
namespace {

using Tokens = std::vector<std::int32_t>;
using Documents = std::vector<std::vector<Tokens>>;  // [document][sentence]
using Sequence = std::tuple<Tokens, Tokens, bool>;

// Every token is another number.
Documents random_documents(std::mt19937& random, unsigned count, unsigned most_sentences,
                           unsigned most_tokens, unsigned least_sentences = 1) {
  Documents documents(count);
  std::int32_t token = 0;
  for (auto& document : documents) {
    document.resize(least_sentences + random() % (most_sentences - least_sentences + 1));
    for (auto& sentence : document) {
      sentence.resize(1 + random() % most_tokens);
      for (auto& id : sentence) id = token++;
    }
  }
  return documents;
}

TokenizedDocuments tokenized(const Documents& documents) {
  TokenizedDocuments result;
  std::size_t sentences = 0;
  for (std::size_t d = 0; d < documents.size(); ++d) {
    for (const auto& sentence : documents[d]) {
      result.ids.insert(result.ids.end(), sentence.begin(), sentence.end());
      result.bounds.push_back(static_cast<std::int32_t>(result.ids.size()));
    }
    result.parts.push_back(
        {static_cast<std::int64_t>(d), sentences, sentences + documents[d].size()});
    sentences += documents[d].size();
  }
  return result;
}

SegmentSink into(std::vector<Sequence>& sequences) {
  return [&sequences](std::span<const std::int32_t> first, std::span<const std::int32_t> second,
                      bool random_next) {
    sequences.emplace_back(Tokens(first.begin(), first.end()), Tokens(second.begin(), second.end()),
                           random_next);
  };
}

// google-research/bert's create_instances_from_document and truncate_seq_pair, line by line.
std::vector<Sequence> google_pairs(const Documents& all_documents, std::size_t document_index,
                                   std::int64_t max_seq_length, double short_seq_prob,
                                   RandomStream& rng) {
  const auto& document = all_documents[document_index];
  const auto max_num_tokens = max_seq_length - 3;
  auto target_seq_length = max_num_tokens;
  if (rng.uniform() < short_seq_prob) {
    target_seq_length = rng.between(2, static_cast<std::uint32_t>(max_num_tokens));
  }
  std::vector<Sequence> instances;
  std::vector<Tokens> current_chunk;
  std::int64_t current_length = 0;
  std::size_t i = 0;
  while (i < document.size()) {
    const auto& segment = document[i];
    current_chunk.push_back(segment);
    current_length += static_cast<std::int64_t>(segment.size());
    if (i == document.size() - 1 || current_length >= target_seq_length) {
      std::size_t a_end = 1;
      if (current_chunk.size() >= 2) {
        a_end = rng.between(1, static_cast<std::uint32_t>(current_chunk.size() - 1));
      }
      Tokens tokens_a, tokens_b;
      for (std::size_t j = 0; j < a_end; ++j) {
        tokens_a.insert(tokens_a.end(), current_chunk[j].begin(), current_chunk[j].end());
      }
      bool is_random_next = false;
      if (current_chunk.size() == 1 || rng.uniform() < 0.5) {
        is_random_next = true;
        const auto target_b_length = target_seq_length - static_cast<std::int64_t>(tokens_a.size());
        std::size_t random_document_index = 0;
        for (int tries = 0; tries < 10; ++tries) {
          random_document_index = rng.below(static_cast<std::uint32_t>(all_documents.size()));
          if (random_document_index != document_index) break;
        }
        const auto& random_document = all_documents[random_document_index];
        const auto random_start = rng.below(static_cast<std::uint32_t>(random_document.size()));
        for (std::size_t j = random_start; j < random_document.size(); ++j) {
          tokens_b.insert(tokens_b.end(), random_document[j].begin(), random_document[j].end());
          if (static_cast<std::int64_t>(tokens_b.size()) >= target_b_length) break;
        }
        i -= current_chunk.size() - a_end;
      } else {
        for (std::size_t j = a_end; j < current_chunk.size(); ++j) {
          tokens_b.insert(tokens_b.end(), current_chunk[j].begin(), current_chunk[j].end());
        }
      }
      while (static_cast<std::int64_t>(tokens_a.size() + tokens_b.size()) > max_num_tokens) {
        auto& trunc_tokens = tokens_a.size() > tokens_b.size() ? tokens_a : tokens_b;
        if (rng.uniform() < 0.5) {
          trunc_tokens.erase(trunc_tokens.begin());
        } else {
          trunc_tokens.pop_back();
        }
      }
      instances.emplace_back(tokens_a, tokens_b, is_random_next);
      current_chunk.clear();
      current_length = 0;
    }
    ++i;
  }
  return instances;
}

TEST(SentencePairs, AreGoogles) {
  std::mt19937 random(std::random_device{}());
  std::size_t compared = 0;
  for (int round = 0; round < 300; ++round) {
    // Enough documents that ten draws do not all miss.
    const auto documents = random_documents(random, 8 + random() % 20, 30, 40);
    const auto tokens = tokenized(documents);
    const SegmentOptions options{5 + static_cast<std::int64_t>(random() % 150),
                                 random() % 2 == 0 ? 0.1 : 0.9};
    for (std::size_t d = 0; d < documents.size(); ++d) {
      RandomStream ours(random(), 3);
      RandomStream googles = ours;
      std::vector<Sequence> sequences;
      cut_pairs(tokens, d, options, ours, into(sequences));
      ASSERT_EQ(sequences, google_pairs(documents, d, options.max_length,
                                        options.short_sequence_probability, googles));
      compared += sequences.size();
    }
  }
  EXPECT_GT(compared, 10000U);
}

TEST(SentencePairs, HalfOfThemAreRandom) {
  std::mt19937 random(5);
  const auto documents = random_documents(random, 400, 200, 20, 100);  // no chunk of one sentence
  const auto tokens = tokenized(documents);
  RandomStream stream(1, 2);
  std::vector<Sequence> sequences;
  for (std::size_t d = 0; d < documents.size(); ++d) {
    cut_pairs(tokens, d, {.max_length = 128, .short_sequence_probability = 0}, stream,
              into(sequences));
  }
  double random_next = 0;
  for (const auto& sequence : sequences) random_next += std::get<2>(sequence) ? 1 : 0;
  ASSERT_GT(sequences.size(), 5000U);
  EXPECT_NEAR(random_next / static_cast<double>(sequences.size()), 0.5, 0.02);
}

TEST(SentencePairs, ADocumentInPartsIsNotItsOwnStranger) {
  std::mt19937 random(6);
  const auto documents = random_documents(random, 40, 30, 20);
  auto tokens = tokenized(documents);
  for (std::size_t i = 0; i < 39; ++i) tokens.parts[i].document = 7;  // all but one are of one book
  RandomStream stream(1, 2);
  const auto stranger = tokens.tokens(tokens.parts[39].first, tokens.parts[39].last);
  for (std::size_t i = 0; i < 39; ++i) {
    std::vector<Sequence> sequences;
    cut_pairs(tokens, i, {}, stream, into(sequences));
    for (const auto& [first, second, random_next] : sequences) {
      if (!random_next) continue;
      ASSERT_GE(second.front(), stranger.front());
      ASSERT_LE(second.back(), stranger.back());
    }
  }
}

TEST(SentencePairs, ALoneDocumentIsItsOwnStranger) {
  const auto tokens = tokenized({{{1, 2}, {3, 4}}});
  RandomStream stream(1, 2);
  std::vector<Sequence> sequences;
  for (int i = 0; i < 20; ++i) cut_pairs(tokens, 0, {}, stream, into(sequences));
  for (const auto& [first, second, random_next] : sequences) {
    EXPECT_FALSE(first.empty());
    EXPECT_FALSE(second.empty());
  }
}

TEST(SingleSegments, HoldEverySentenceOnceAndWhole) {
  std::mt19937 random(std::random_device{}());
  for (int round = 0; round < 200; ++round) {
    const auto documents = random_documents(random, 3, 60, 40);
    const auto tokens = tokenized(documents);
    RandomStream stream(random(), 1);
    for (std::size_t d = 0; d < documents.size(); ++d) {
      std::vector<Sequence> sequences;
      cut_single(tokens, d, {.max_length = 60, .short_sequence_probability = 0.3}, stream,
                 into(sequences));
      std::size_t sentence = 0;
      for (std::size_t s = 0; s < sequences.size(); ++s) {
        const auto& [first, second, random_next] = sequences[s];
        EXPECT_TRUE(second.empty());
        EXPECT_FALSE(random_next);
        EXPECT_LE(first.size(), 58U);
        Tokens whole;
        while (whole.size() < first.size()) {
          const auto& next = documents[d].at(sentence++);
          whole.insert(whole.end(), next.begin(), next.end());
        }
        ASSERT_EQ(first, whole);
      }
      EXPECT_EQ(sentence, documents[d].size());
    }
  }
}

TEST(SingleSegments, AreFull) {
  std::mt19937 random(3);
  const auto documents = random_documents(random, 1, 400, 10, 400);
  const auto tokens = tokenized(documents);
  RandomStream stream(1, 1);
  std::vector<Sequence> sequences;
  cut_single(tokens, 0, {.max_length = 128, .short_sequence_probability = 0}, stream,
             into(sequences));
  for (std::size_t s = 0; s + 1 < sequences.size(); ++s) {
    EXPECT_GT(std::get<0>(sequences[s]).size(), 126U - 10U);  // the next sentence had no room
  }
}

}  // namespace
}  // namespace cloze
