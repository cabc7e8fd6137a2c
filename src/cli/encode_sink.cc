#include "cli/encode_sink.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "cli/format.h"
#include "cli/output_files.h"
#include "cloze/array_file.h"
#include "cloze/error.h"
#include "cloze/output.h"

namespace cloze::cli {
namespace {

constexpr std::array<std::string_view, 3> formats{".npy", ".safetensors", ".jsonl"};

std::string first_values(std::span<const float> row) {
  constexpr std::size_t count = 6;
  std::string text;
  for (const float value : row.first(std::min(count, row.size()))) {
    text += fmt::format("{:9.4f}", value);
  }
  return row.size() > count ? text + " ..." : text;
}

class TerminalSink final : public EncodeSink {
 public:
  using EncodeSink::EncodeSink;

  void put(const Encoded& encoded) override {
    constexpr std::size_t most_rows = 16;
    const auto& item = encoded.item;
    const auto columns = static_cast<std::size_t>(shape_.columns);
    auto text = shortened(item.pair ? item.text + " / " + *item.pair : item.text, width_) + '\n';
    if (shape_.pooled) {
      text += fmt::format("  {} [{}]  {}\n", shape_.name, columns, first_values(encoded.values));
    } else {
      text += fmt::format("  {} [{}, {}]\n", shape_.name, encoded.ids.size(), columns);
    }
    const auto shown = std::min(most_rows, encoded.ids.size());
    for (std::size_t row = 0; row < shown; ++row) {
      text += fmt::format("    {} {}\n",
                          padded(printable(shape_.tokenizer.id_to_token(encoded.ids[row])), 14),
                          first_values(encoded.values.subspan(row * columns, columns)));
    }
    if (shown < encoded.ids.size()) {
      text += fmt::format("    ... {} more tokens\n", encoded.ids.size() - shown);
    }
    out_.write(text);
  }

  void finish() override { out_.finish(); }

 private:
  std::size_t width_ = terminal_width();
  Output out_ = Output::standard_output();
};

class JsonSink final : public EncodeSink {
 public:
  JsonSink(EncodeShape shape, const std::filesystem::path& file)
      : EncodeSink(std::move(shape)),
        out_(file.empty() ? Output::standard_output() : Output::file(file)) {}

  void put(const Encoded& encoded) override {
    const auto columns = static_cast<std::size_t>(shape_.columns);
    line_.clear();
    if (shape_.pooled) {
      append_object(line_, "shape", std::array{columns}, shape_.name, encoded.values);
    } else {
      const auto token = [&](std::int32_t id) { return shape_.tokenizer.id_to_token(id); };
      append_object(line_, "shape", std::array{encoded.ids.size(), columns}, "tokens",
                    list_of(line_, encoded.ids, token), shape_.name,
                    [&] { append_rows(encoded.values, columns); });
    }
    out_.write(line_ + '\n');
  }

  void finish() override { out_.finish(); }

 private:
  void append_rows(std::span<const float> values, std::size_t columns) {
    line_ += '[';
    for (std::size_t at = 0; at < values.size(); at += columns) {
      if (at > 0) line_ += ',';
      append_json(line_, values.subspan(at, columns));
    }
    line_ += ']';
  }

  Output out_;
  std::string line_;
};

class ArraySink final : public EncodeSink {
 public:
  ArraySink(EncodeShape shape, std::filesystem::path file, ArrayFormat format, bool json)
      : EncodeSink(std::move(shape)),
        path_(std::move(file)),
        json_(json),
        sequences_(!shape_.pooled && format == ArrayFormat::safetensors),
        file_(path_, {.format = format,
                      .name = shape_.name,
                      .columns = shape_.columns,
                      .sequences = sequences_}) {}

  void put(const Encoded& encoded) override {
    file_.append(encoded.values);
    if (sequences_) file_.end_sequence();
    ++texts_;
  }

  void finish() override {
    file_.finish();
    std::string text;
    if (json_) {
      append_object(text, "output", path_.string(), "name", shape_.name, "shape",
                    std::array{file_.rows(), shape_.columns}, "texts", texts_);
      text += '\n';
    } else {
      text = fmt::format("{}: {} [{}, {}] f32, {} text{}\n", path_.string(), shape_.name,
                         file_.rows(), shape_.columns, grouped(texts_), texts_ == 1 ? "" : "s");
    }
    print_about(path_, text);
  }

 private:
  std::filesystem::path path_;
  bool json_;
  bool sequences_;
  std::int64_t texts_ = 0;
  ArrayFile file_;
};

}  // namespace

std::unique_ptr<EncodeSink> encode_sink(EncodeShape shape, const std::filesystem::path& file,
                                        bool json) {
  if (file.empty() && !json) return std::make_unique<TerminalSink>(std::move(shape));
  if (file.empty() || file.extension() == ".jsonl") {
    return std::make_unique<JsonSink>(std::move(shape), file);
  }
  const auto format = file.extension() == ".npy" ? ArrayFormat::npy : ArrayFormat::safetensors;
  return std::make_unique<ArraySink>(std::move(shape), file, format, json);
}

void require_known_format(const std::filesystem::path& file) {
  if (std::ranges::find(formats, file.extension().string()) != formats.end()) return;
  throw ArgumentError(
      fmt::format("--output {}: the name must end in .npy, .safetensors or .jsonl", file.string()));
}

}  // namespace cloze::cli
