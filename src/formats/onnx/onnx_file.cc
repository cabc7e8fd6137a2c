#include "formats/onnx/onnx_file.h"

#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <onnx_model.pb.h>

#include "cloze/error.h"
#include "core/io/atomic_file.h"
#include "core/io/files.h"
#include "core/io/mapped_file.h"
#include "core/io/output_target.h"
#include "core/strings.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;
using google::protobuf::io::CodedOutputStream;

constexpr std::int64_t kIrVersion = 8;  // that of ONNX 1.12, which brought operator set 17
constexpr std::int64_t kSmallest = 1024, kPage = 4096;

// What Cloze's files begin with: the model's with its version and producer, the data's with a page
// of its own. By that a later export knows that they may be replaced.
constexpr std::string_view kModelBegins(
    "\x08\x08\x12\x05"
    "cloze",
    9);
constexpr std::string_view kDataBegins = "weights of an ONNX model by cloze\n";

// Fields that are written by hand, so that their content need not be in memory at once.
constexpr int kGraph = onnx::ModelProto::kGraphFieldNumber;
constexpr int kInitializer = onnx::GraphProto::kInitializerFieldNumber;
constexpr int kRawData = onnx::TensorProto::kRawDataFieldNumber;

/// The tag of a field that has a length, and that length. Fields of one message may come in any
/// order, so those that are made by hand follow what protobuf has serialized.
std::string beginning(int field, std::int64_t length) {
  constexpr unsigned kLengthDelimited = 2;
  std::array<std::uint8_t, 20> buffer{};
  auto* end = CodedOutputStream::WriteVarint32ToArray(
      static_cast<unsigned>(field) << 3U | kLengthDelimited, buffer.data());
  end = CodedOutputStream::WriteVarint64ToArray(static_cast<std::uint64_t>(length), end);
  return {buffer.data(), end};
}

std::int64_t bytes_of(const OnnxWeight& weight) {
  auto bytes = static_cast<std::int64_t>(sizeof(float));
  for (const auto size : weight.shape) bytes *= size;
  return bytes;
}

/// All of a weight's message but its numbers; with `offset`, where in the other file they are.
std::string header_of(const OnnxWeight& weight, const std::string& data_file,
                      std::optional<std::int64_t> offset) {
  onnx::TensorProto tensor;
  for (const auto size : weight.shape) tensor.add_dims(size);
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  tensor.set_name(weight.name);
  if (offset) {
    const auto entry = [&tensor](const char* key, std::string value) {
      auto& added = *tensor.add_external_data();
      added.set_key(key);
      added.set_value(std::move(value));
    };
    tensor.set_data_location(onnx::TensorProto::EXTERNAL);
    entry("location", data_file);
    entry("offset", std::to_string(*offset));
    entry("length", std::to_string(bytes_of(weight)));
  }
  return tensor.SerializeAsString();
}

/// Where the numbers of each weight go: nothing for those that stay with the graph.
struct Placed {
  const OnnxWeight* weight;
  std::optional<std::int64_t> offset;
  std::string header;       ///< of its message
  std::string data_before;  ///< tag and length of the numbers, where they follow

  [[nodiscard]] std::int64_t inline_bytes() const { return offset ? 0 : bytes_of(*weight); }
  [[nodiscard]] std::int64_t message_bytes() const {
    return static_cast<std::int64_t>(header.size() + data_before.size()) + inline_bytes();
  }
};

std::vector<Placed> place(std::span<const OnnxWeight> weights, const std::string& data_file) {
  std::vector<Placed> placed;
  std::int64_t end = kPage;
  for (const auto& weight : weights) {
    std::optional<std::int64_t> offset;
    if (!data_file.empty() && bytes_of(weight) >= kSmallest) {
      offset = (end + kPage - 1) / kPage * kPage;
      end = *offset + bytes_of(weight);
    }
    placed.push_back(
        {.weight = &weight,
         .offset = offset,
         .header = header_of(weight, data_file, offset),
         .data_before = offset ? std::string() : beginning(kRawData, bytes_of(weight))});
  }
  return placed;
}

std::int64_t graph_bytes(const std::string& rest, std::span<const Placed> placed) {
  auto bytes = static_cast<std::int64_t>(rest.size());
  for (const auto& item : placed) {
    const auto message = item.message_bytes();
    bytes += static_cast<std::int64_t>(beginning(kInitializer, message).size()) + message;
  }
  return bytes;
}

void write_numbers(AtomicFile& file, const OnnxWeight& weight) {
  const auto tensor = weight.read();
  if (tensor.dtype() != DType::f32 || tensor.shape() != weight.shape) {
    throw ModelError(fmt::format("the weight {} is {} {} and not f32 {}", weight.name,
                                 name_of(tensor.dtype()), to_string(tensor.shape()),
                                 to_string(weight.shape)));
  }
  file.write(tensor.bytes());
}

/// Writes the numbers that are kept outside; bytes written.
std::int64_t write_data(AtomicFile& file, std::span<const Placed> placed,
                        const OnnxFileOptions& options) {
  const std::string zeros(static_cast<std::size_t>(kPage), '\0');
  file.write(kDataBegins);
  auto end = static_cast<std::int64_t>(kDataBegins.size());
  for (const auto& item : placed) {
    if (!item.offset) continue;
    file.write(std::string_view(zeros).substr(0, static_cast<std::size_t>(*item.offset - end)));
    write_numbers(file, *item.weight);
    end = *item.offset + bytes_of(*item.weight);
    if (options.on_weight) options.on_weight();
  }
  return end;
}

/// Whether a regular file begins with this text.
bool begins_with(const fs::path& path, std::string_view text) {
  if (!files::is_regular(path)) return false;
  const auto file = MappedFile::open(path);
  return file->text().starts_with(text);
}

/// Throws ArgumentError where no export wrote what has the model's name.
void require_replaceable(const fs::path& path) {
  const auto name = output_target(path).path;  // that of the file itself, where `path` is a link
  if (name.extension() == ".onnx" || files::size(path).value_or(0) == 0) return;
  if (begins_with(path, kModelBegins)) return;
  throw ArgumentError(
      fmt::format("{} is there and is no ONNX file: give another name, such as one that ends in "
                  ".onnx, or remove it",
                  excerpt_of_path(path)));
}

/// The same for the data's name.
void require_replaceable_data(const fs::path& path) {
  if (!files::exists(path) || begins_with(path, kDataBegins)) return;
  throw ArgumentError(fmt::format(
      "the weights would go to {}, and what is there is not of an earlier export: give another "
      "name, or remove it",
      excerpt_of_path(path)));
}

}  // namespace

OnnxFile write_onnx(const OnnxGraph& graph, const fs::path& path, const OnnxFileOptions& options) {
  onnx::ModelProto frame;
  frame.set_ir_version(kIrVersion);
  frame.set_producer_name("cloze");
  auto& operators = *frame.add_opset_import();
  operators.set_domain("");
  operators.set_version(OnnxGraph::kOperatorSet);
  const auto head = frame.SerializeAsString();
  const auto rest = graph.proto().SerializeAsString();

  require_replaceable(path);
  OnnxFile written;
  auto placed = place(graph.weights(), "");
  const auto whole = [&] {
    const auto body = graph_bytes(rest, placed);
    return static_cast<std::int64_t>(head.size() + beginning(kGraph, body).size()) + body;
  };
  AtomicFile file(path);  // the one that is more likely refused is made first
  const fs::path beside(path.string() + ".data");
  if (options.external_data || whole() > options.max_file_bytes) {
    if (file.direct()) {
      throw ArgumentError(
          fmt::format("{} is no file that weights could stand beside", excerpt_of_path(path)));
    }
    require_replaceable_data(beside);
    written.data_file = beside;
    placed = place(graph.weights(), beside.filename().string());
  }

  std::optional<AtomicFile> data;
  if (!written.data_file.empty()) {
    data.emplace(written.data_file);
    written.bytes = write_data(*data, placed, options);
  }
  file.write(head);
  file.write(beginning(kGraph, graph_bytes(rest, placed)));
  file.write(rest);
  for (const auto& item : placed) {
    file.write(beginning(kInitializer, item.message_bytes()));
    file.write(item.header);
    file.write(item.data_before);
    if (item.offset) continue;
    write_numbers(file, *item.weight);
    if (options.on_weight) options.on_weight();
  }
  if (data) {
    const std::array both{&*data, &file};
    AtomicFile::commit(both);
  } else {
    const bool replaced = !file.direct();
    file.commit();
    if (replaced && begins_with(beside, kDataBegins)) files::remove(beside);
  }
  written.bytes += whole();
  return written;
}

}  // namespace cloze
