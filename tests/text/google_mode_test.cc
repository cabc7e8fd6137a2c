// `google` mode against tests/reference/google_tokenizer.h.
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cloze/tokenizer.h"
#include "core/temp_directory.h"
#include "core/utf8.h"
#include "reference/google_tokenizer.h"

namespace cloze {
namespace {

std::u32string to_utf32(const std::string& text) {
  std::u32string out;
  for (const char* p = text.data(); p < text.data() + text.size();) out.push_back(utf8::decode(p));
  return out;
}

std::string to_utf8(const std::u32string& text) {
  std::string out;
  for (const char32_t cp : text) {
    char bytes[4];
    out.append(bytes, static_cast<std::size_t>(utf8::encode(cp, bytes)));
  }
  return out;
}

// Assigned in Unicode 15.0, which utf8proc knows and the tables (14.0, Python 3.11's) do not.
bool is_newer(char32_t c) {
  static constexpr std::pair<char32_t, char32_t> kNewer[] = {
      {0xCF3, 0xCF3},     {0xECE, 0xECE},     {0x10EFD, 0x10EFF}, {0x1123F, 0x11241},
      {0x11B00, 0x11B09}, {0x11F00, 0x11F59}, {0x1342F, 0x13455}, {0x1B132, 0x1B132},
      {0x1B155, 0x1B155}, {0x1D2C0, 0x1D2D3}, {0x1DF25, 0x1DF2A}, {0x1E030, 0x1E08F},
      {0x1E4D0, 0x1E4F9}, {0x1F6DC, 0x1F6DC}, {0x1F774, 0x1F7D9}, {0x1FA75, 0x1FAF8},
      {0x31350, 0x323AF}};
  return std::any_of(std::begin(kNewer), std::end(kNewer),
                     [c](const auto& r) { return r.first <= c && c <= r.second; });
}

class GoogleMode : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    std::vector<std::u32string> tokens{U"[PAD]",  U"[UNK]", U"[CLS]",    U"[SEP]",
                                       U"[MASK]", U"the",   U"##ing",    U"οδος",
                                       U"##ος",   U"σας",   U"istanbul", U"##word"};
    for (char32_t c = 33; c < 0x1F700; ++c) {
      if (c % 4 == 0 || (c > 0x3100 && c < 0x4DF0) || (c > 0x4E40 && c < 0xF900 && c % 97 != 1))
        continue;
      if (c >= 0xD800 && c < 0xE000) continue;
      if (utf8proc_category(static_cast<int>(c)) >= UTF8PROC_CATEGORY_ZS) continue;
      tokens.push_back({c});
      tokens.push_back({U'#', U'#', c});
    }
    std::ofstream out(folder_ / "vocab.txt", std::ios::binary);
    std::map<std::u32string, int> vocabulary;
    for (const auto& token : tokens) {
      vocabulary.emplace(token, static_cast<int>(vocabulary.size()));
      out << to_utf8(token) << '\n';
    }
    ASSERT_EQ(vocabulary.size(), tokens.size());
    std::ofstream(folder_ / "tokenizer_config.json")
        << R"({"do_lower_case":)" << (GetParam() ? "true" : "false") << "}";
    out.close();
    reference_ = std::make_unique<reference::GoogleTokenizer>(vocabulary, GetParam());
    tokenizer_ = std::make_unique<Tokenizer>(
        Tokenizer::from_pretrained(folder_.path(), TokenizerMode::google));
  }

  void expect_same(const std::u32string& text) const {
    const auto bytes = to_utf8(text);
    const auto ours = tokenizer_->encode(bytes, {.add_special_tokens = false}).ids;
    const auto theirs = (*reference_)(text);
    ASSERT_EQ(std::vector<int>(ours.begin(), ours.end()), theirs)
        << ::testing::PrintToString(bytes);
  }

  testing::TempDirectory folder_;
  std::unique_ptr<reference::GoogleTokenizer> reference_;
  std::unique_ptr<Tokenizer> tokenizer_;
};

TEST_P(GoogleMode, TextsThatTellTheTwoModesApart) {
  for (const auto* text :
       {"the [MASK] thing", "ΟΔΟΣ ΟΔΟΣ. ΣΑΣ Σ ΑΣ'Α Α.Σ ΑΣ\u0301 ΑΣΑ 1Σ", "İSTANBUL",
        "\u2028a\u2029b\u0085c\u001Cd", "\U0002B820\U0002B920", "e\u0301\u0323", "東京 the東",
        "A\u200BΣ", "AΣ東", "東Σ", "\u00AAΣ", "\u2160Σ \u24D0Σ"}) {
    expect_same(to_utf32(text));
  }
  expect_same(std::u32string(200, U'a') + U" " + std::u32string(201, U'a'));
}

// Every code point but for a sample of ideographs, Hangul and what is mostly unassigned.
TEST_P(GoogleMode, EveryCodePoint) {
  const auto is_uniform = [](char32_t c) {
    return (c > 0x3400 && c < 0xA000) || (c > 0xAC00 && c < 0xF900) || c > 0x20000;
  };
  for (char32_t c = 0; c < 0x110000; c += is_uniform(c) ? 31 : 1) {
    if ((c >= 0xD800 && c < 0xE000) || is_newer(c)) continue;
    expect_same({U'a', c, U'Σ', c, U' ', c, U'b'});
    if (HasFatalFailure()) return;
  }
}

TEST_P(GoogleMode, RandomTexts) {
  std::mt19937 random(7);
  const auto any = [&random](char32_t from, char32_t to) {
    return std::uniform_int_distribution<char32_t>(from, to)(random);
  };
  static constexpr std::pair<char32_t, char32_t> kRanges[] = {
      {0, 0x7F},        {'a', 'z'},       {0x80, 0x24F},      {0x300, 0x36F},   {0x370, 0x3FF},
      {0x3A3, 0x3A3},   {0x400, 0x7FF},   {0x900, 0xDFF},     {0x1E00, 0x206F}, {0x302A, 0x30FF},
      {0x4E00, 0x4E20}, {0xAC00, 0xD7A3}, {0x1D150, 0x1D170}, {' ', ' '},       {0, 0xD7FF}};
  for (int i = 0; i < 20000; ++i) {
    std::u32string text;
    for (auto runs = any(1, 6); runs > 0; --runs) {
      const auto& range = kRanges[any(0, std::size(kRanges) - 1)];
      for (auto n = any(1, 6); n > 0; --n) {
        const auto c = any(range.first, range.second);
        if (!is_newer(c)) text.push_back(c);
      }
    }
    expect_same(text);
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(CasedAndUncased, GoogleMode, ::testing::Bool());

}  // namespace
}  // namespace cloze
