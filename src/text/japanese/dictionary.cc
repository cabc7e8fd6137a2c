#include "text/japanese/dictionary.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/io/files.h"
#include "core/io/mapped_file.h"
#include "core/strings.h"
#include "text/japanese/installed_dictionaries.h"

namespace cloze::text {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHowToGive =
    "give its directory with --dictionary DIR or $CLOZE_MECAB_DICTIONARY";

std::uint32_t number_at(std::span<const std::byte> bytes, std::size_t at) {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

[[noreturn]] void fail_as_damaged(const fs::path& file, const std::string& what) {
  throw FormatError(
      fmt::format("{}: {}: the dictionary is damaged, or not one of MeCab's; install it again",
                  excerpt_of_path(file), what));
}

// The head of sys.dic: magic (the file's size under a mask), version, type, words, left and right
// contexts, sizes of three parts, 0, and the encoding in 32 bytes.
constexpr std::size_t kHead = 72;
constexpr std::size_t kEncodingAt = 40;
constexpr std::uint32_t kMagicMask = 0xEF718F77U;
constexpr std::uint32_t kVersion = 102;

bool is_utf8_name(const std::string& encoding) {
  const auto name = lower_ascii(encoding);
  return name == "utf8" || name == "utf-8" || name == "utf_8";
}

Dictionary read_head(const fs::path& directory) {
  const auto file = directory / "sys.dic";
  const auto mapped = MappedFile::open(file);
  const auto bytes = mapped->bytes();
  if (bytes.size() < kHead)
    fail_as_damaged(file, fmt::format("{} bytes are no dictionary", bytes.size()));
  if ((number_at(bytes, 0) ^ kMagicMask) != bytes.size()) {
    fail_as_damaged(file,
                    fmt::format("its {} bytes are not as many as its head says", bytes.size()));
  }
  if (const auto version = number_at(bytes, 4); version != kVersion) {
    fail_as_damaged(
        file, fmt::format("it is of version {}, and MeCab 0.996 reads {}", version, kVersion));
  }
  const auto* const encoding = reinterpret_cast<const char*>(bytes.data() + kEncodingAt);
  const std::string name(encoding, ::strnlen(encoding, kHead - kEncodingAt));
  if (!is_utf8_name(name)) {
    throw FormatError(fmt::format(
        "{}: the dictionary is in the encoding {}, and Cloze's texts are UTF-8: take one that was "
        "compiled for UTF-8 (Debian's package mecab-ipadic-utf8, not mecab-ipadic)",
        excerpt_of_path(directory), in_quotes(name)));
  }
  return {directory, number_at(bytes, 12), number_at(bytes, 16)};
}

/// The options that Cloze hands on, and what mecab_option has of them.
struct Options {
  std::optional<std::string> dictionary, configuration;
  std::vector<std::string> handed_on;
};

struct KnownOption {
  std::string_view letter, name;
  bool has_value = true;
  enum Kind : std::uint8_t { dictionary, configuration, handed_on, of_output } kind = of_output;
};

// Options of output mean nothing to words. Those that are missing change which words there are.
constexpr std::array<KnownOption, 14> kOptions{{
    {"-d", "--dicdir", true, KnownOption::dictionary},
    {"-r", "--rcfile", true, KnownOption::configuration},
    {"-u", "--userdic", true, KnownOption::handed_on},
    {"-M", "--max-grouping-size", true, KnownOption::handed_on},
    {"-O", "--output-format-type"},
    {"-F", "--node-format"},
    {"-U", "--unk-format"},
    {"-B", "--bos-format"},
    {"-E", "--eos-format"},
    {"-S", "--eon-format"},
    {"-x", "--unk-feature"},
    {"-b", "--input-buffer-size"},
    {"-C", "--allocate-sentence", false},
    {"-P", "--dump-config", false},
}};

Options read_options(const std::vector<std::string>& words, const std::string& origin) {
  Options options;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const auto* const known =
        std::find_if(kOptions.begin(), kOptions.end(), [&word](const KnownOption& option) {
          return word.starts_with("--") ? word.substr(0, word.find('=')) == option.name
                                        : word.starts_with(option.letter);
        });
    if (known == kOptions.end()) {
      throw ModelError(
          fmt::format("{}: mecab_option has {}, which Cloze does not have: it takes -d, -r, -u and "
                      "-M, and passes "
                      "over options of the output",
                      origin, in_quotes(word)));
    }
    if (!known->has_value) continue;
    std::string value;
    const auto equals = word.find('=');
    if (word.starts_with("--") && equals != std::string::npos) {
      value = word.substr(equals + 1);
    } else if (!word.starts_with("--") && word.size() > 2) {
      value = word.substr(2);
    } else if (i + 1 < words.size()) {
      value = words[++i];
    } else {
      throw FormatError(fmt::format("{}: mecab_option ends with {}, which needs a value", origin,
                                    in_quotes(word)));
    }
    switch (known->kind) {
      case KnownOption::dictionary:
        options.dictionary = value;
        break;
      case KnownOption::configuration:
        options.configuration = value;
        break;
      case KnownOption::handed_on:
        options.handed_on.emplace_back(known->letter);
        options.handed_on.push_back(value);
        break;
      default:
        break;
    }
  }
  return options;
}

/// Where MeCab's dictionary `name` comes from, for people.
std::string how_to_install(std::string_view name) {
  if (name == "ipadic") {
    return "install Debian's package mecab-ipadic-utf8, or the Python package ipadic, which has it "
           "in ipadic/dicdir";
  }
  return name == "unidic_lite"
             ? "the Python package unidic-lite has it in unidic_lite/dicdir"
             : "the Python package unidic has it in unidic/dicdir after python3 -m unidic download";
}

/// The dictionary that the files name, or that transformers takes where they name none.
Dictionary named_dictionary(const MecabSettings& settings, const std::string& origin,
                            std::string& decided_by) {
  const auto& name = settings.name;
  if (const auto found = installed_dictionary(name)) {
    if (!found->configuration.empty()) decided_by = found->configuration.string();
    return read_dictionary(found->directory);
  }
  if (settings.stated) {
    throw ModelError(fmt::format(
        "{}: the tokenizer's words are those of MeCab with the dictionary {}, which is not found: "
        "{}; {}",
        origin, name, how_to_install(name), kHowToGive));
  }
  // Another one would give other words than transformers does, and nothing would tell.
  const auto ipadic = installed_dictionary("ipadic");
  throw ModelError(fmt::format(
      "{}: the files do not name MeCab's dictionary (mecab_kwargs.mecab_dic); transformers takes "
      "{}, which is not found ({}), and until 4.57 took ipadic, with which the first Japanese "
      "BERTs were trained{}: state the one that belongs to the vocabulary, or {}",
      origin, name, how_to_install(name),
      ipadic ? fmt::format(" (here in {})", excerpt_of_path(ipadic->directory)) : "", kHowToGive));
}

/// A checkpoint's vocabulary fits the words of its own dictionary alone.
void require_kind(const MecabSettings& settings, const Dictionary& dictionary,
                  const std::string& by, const std::string& origin) {
  if (!settings.stated || settings.name.empty()) return;
  const bool ipadic = settings.name == "ipadic";
  if (ipadic == dictionary.is_ipadic()) return;
  throw ModelError(
      fmt::format("{}: the tokenizer's words are those of MeCab with the dictionary {}, and {} "
                  "({}) is {}: {} of "
                  "that one",
                  origin, settings.name, excerpt_of_path(dictionary.directory), by,
                  ipadic ? "another" : "an ipadic", kHowToGive));
}

}  // namespace

Dictionary read_dictionary(const fs::path& directory) {
  if (!files::is_directory(directory)) {
    throw IoError(
        fmt::format("{}: no such directory; a dictionary of MeCab is a directory with sys.dic, "
                    "unk.dic, matrix.bin, "
                    "char.bin and dicrc",
                    excerpt_of_path(directory)));
  }
  for (const auto* name : {"sys.dic", "unk.dic", "matrix.bin", "char.bin", "dicrc"}) {
    if (files::exists(directory / name)) continue;
    const bool source = files::exists(directory / "matrix.def");
    throw IoError(fmt::format("{}: there is no {} in it, so that it is no dictionary of MeCab{}",
                              excerpt_of_path(directory), name,
                              source ? " yet: it is the source of one, to be compiled with "
                                       "mecab-dict-index -f utf8 -t utf8"
                                     : ""));
  }
  auto dictionary = read_head(directory);
  const auto matrix = directory / "matrix.bin";
  const auto size = files::size(matrix).value_or(0);
  const auto contexts = static_cast<std::int64_t>(dictionary.contexts);
  const auto mapped = MappedFile::open(matrix);
  std::array<std::uint16_t, 2> sizes{};
  if (mapped->bytes().size() >= sizeof sizes)
    std::memcpy(sizes.data(), mapped->bytes().data(), sizeof sizes);
  if (sizes[0] != contexts ||
      size != static_cast<std::int64_t>(sizeof sizes) + 2 * std::int64_t{sizes[0]} * sizes[1]) {
    fail_as_damaged(
        matrix, fmt::format("its {} bytes are not the costs of the {} contexts of sys.dic", size,
                            contexts));
  }
  return dictionary;
}

MecabStart find_dictionary(const MecabSettings& settings, const std::string& origin) {
  const auto options = read_options(settings.options, origin);
  MecabStart start;
  std::string configuration = options.configuration.value_or("");
  if (!settings.given.empty()) {
    start.dictionary = read_dictionary(settings.given);
    start.decided_by = settings.given_by;
  } else if (options.dictionary) {  // it comes last, so that MeCab takes it
    start.dictionary = read_dictionary(*options.dictionary);
    start.decided_by = "mecab_option";
  } else if (settings.name.empty()) {
    const auto configured = configured_dictionary();
    if (!configured) {
      throw ModelError(
          fmt::format("{}: mecab_dic is null, which means the dictionary of MeCab's own "
                      "configuration, and there is none: {}",
                      origin, kHowToGive));
    }
    start.dictionary = read_dictionary(configured->directory);
    start.decided_by = configured->configuration.string();
  } else {
    start.decided_by = settings.stated ? "mecab_dic" : kDecidedByDefault;
    start.dictionary = named_dictionary(settings, origin, start.decided_by);
  }
  require_kind(settings, start.dictionary, start.decided_by, origin);
  // Without one MeCab looks for a configuration of the system, and fails where there is none.
  const auto own = start.dictionary.directory / "mecabrc";
  if (configuration.empty()) configuration = files::exists(own) ? own.string() : "/dev/null";
  start.arguments = {"-d", start.dictionary.directory.string(), "-r", configuration};
  start.arguments.insert(start.arguments.end(), options.handed_on.begin(), options.handed_on.end());
  return start;
}

std::vector<std::string> split_as_shell(const std::string& line, const std::string& origin) {
  std::vector<std::string> words;
  std::string word;
  bool begun = false;
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote == '\'' || (quote == '"' && c != '\\')) {
      if (c == quote) {
        quote = 0;
      } else {
        word += c;
      }
    } else if (c == '\\' && i + 1 < line.size()) {
      const char next = line[++i];
      if (quote == '"' && next != '"' && next != '\\') word += c;
      word += next;
      begun = true;
    } else if (c == '"' || c == '\'') {
      quote = c;
      begun = true;
    } else if (is_space(c)) {
      if (begun) words.push_back(std::exchange(word, {}));
      begun = false;
    } else {
      word += c;
      begun = true;
    }
  }
  if (quote != 0) {
    throw FormatError(fmt::format("{}: mecab_option has a quotation without an end: {}", origin,
                                  in_quotes(line)));
  }
  if (begun) words.push_back(std::move(word));
  return words;
}

}  // namespace cloze::text
