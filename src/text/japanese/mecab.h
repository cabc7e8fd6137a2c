/// \file
/// MeCab with a dictionary: text → words, on any number of threads.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/function_ref.h"
#include "text/japanese/dictionary.h"
#include "text/japanese/mecab_library.h"

namespace cloze::text {

class Mecab {
 public:
  /// Loads the library and opens the dictionary. `origin` begins the messages. Throws Error without
  /// the library, and as find_dictionary.
  Mecab(const MecabSettings& settings, const std::string& origin);

  /// Hands each word of `text` (valid UTF-8) to `use`, in order, as its bytes [begin, end) in it.
  /// White space and U+0000 part words and belong to none. Throws ArgumentError for a text of more
  /// than kMostBytes, for which MeCab would need too much memory.
  void split(std::string_view text,
             FunctionRef<void(std::size_t begin, std::size_t end)> use) const;

  /// MeCab takes some 350 times as much memory as the text has bytes.
  static constexpr std::size_t kMostBytes = std::size_t{1} << 20;

  [[nodiscard]] const Dictionary& dictionary() const { return start_.dictionary; }
  /// What the dictionary was decided by: "--dictionary", "mecab_dic", "mecab_option", "default", or
  /// the configuration file of MeCab that names it.
  [[nodiscard]] const std::string& decided_by() const { return start_.decided_by; }

 private:
  struct Destroy {
    void operator()(MecabModel* model) const { mecab_library().model_destroy(model); }
    void operator()(MecabTagger* tagger) const { mecab_library().destroy(tagger); }
  };
  using Tagger = std::unique_ptr<MecabTagger, Destroy>;

  [[nodiscard]] Tagger take() const;
  void give_back(Tagger tagger) const;

  MecabStart start_;
  std::unique_ptr<MecabModel, Destroy> model_;
  // A tagger has a state of its own: each call works with one alone.
  mutable std::mutex guard_;
  mutable std::vector<Tagger> idle_;
};

}  // namespace cloze::text
