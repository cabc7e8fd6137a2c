/// \file
/// The exact match and F1 of CMRC 2018, a data set of Chinese questions (Cui et al., "A Span-Extraction
/// Dataset for Chinese Machine Reading Comprehension", 2019), as its script cmrc2018_evaluate.py has
/// them: by characters, for Chinese has no spaces between words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cloze {

/// The segments of an answer: lower-cased, without the script's list of punctuation; each ideograph
/// from U+4E00 to U+9FA5 is one, and what stands between them is cut into words as NLTK's word
/// tokenizer does it within a sentence (but for English contractions such as "cannot").
[[nodiscard]] std::vector<std::u32string> cmrc_segments(std::string_view text);

/// Whether two answers are the same, case and the list of punctuation aside.
[[nodiscard]] bool cmrc_exact_match(std::string_view gold, std::string_view predicted);

/// F1 of the longest run of segments that both answers have in common. Of answers without segments 1
/// if both have none, else 0.
[[nodiscard]] double cmrc_f1(std::string_view gold, std::string_view predicted);

/// Whether most letters of these texts are Chinese ideographs, and next to none are Japanese kana.
[[nodiscard]] bool mostly_chinese(const std::vector<std::string_view>& texts);

}  // namespace cloze
