/// \file
/// Dictionaries of MeCab: what is checked of their files before MeCab maps them, and where those
/// are that a checkpoint names.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "text/japanese/rules.h"

namespace cloze::text {

/// A compiled dictionary in a directory (dicrc, sys.dic, unk.dic, matrix.bin, char.bin).
struct Dictionary {
  std::filesystem::path directory;
  std::uint32_t words = 0;     ///< entries of sys.dic
  std::uint32_t contexts = 0;  ///< sizes of matrix.bin: ipadic has 1,316
  /// By its contexts: whether this is ipadic, or a dictionary made from it (NEologd).
  [[nodiscard]] bool is_ipadic() const { return contexts == 1316; }
};

/// Reads the heads of the files. Throws IoError where one is missing, FormatError where one is cut
/// short or the dictionary is not in UTF-8.
[[nodiscard]] Dictionary read_dictionary(const std::filesystem::path& directory);

/// What MeCab is started with, and what that was decided by.
struct MecabStart {
  std::vector<std::string> arguments;  ///< of mecab_model_new, after the program's name
  Dictionary dictionary;  ///< without a directory where MeCab's own configuration names it
  std::string decided_by;
};

/// What `MecabStart::decided_by` is where neither the files nor the user named the dictionary.
inline constexpr const char* kDecidedByDefault = "default";

/// Finds the dictionary: the given one, or the one that mecab_option names, or where the one that
/// the files name is installed; without a name unidic_lite, as transformers. `origin` begins the messages. Throws IoError and FormatError as read_dictionary,
/// ModelError for a dictionary that is not there or is of another kind than the checkpoint names,
/// and for options that would change what MeCab answers in other ways.
[[nodiscard]] MecabStart find_dictionary(const MecabSettings& settings, const std::string& origin);

/// The words of a command line, as a shell (Python's shlex) splits it. Throws FormatError for a
/// quotation without an end.
[[nodiscard]] std::vector<std::string> split_as_shell(const std::string& line,
                                                      const std::string& origin);

}  // namespace cloze::text
