#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include "cloze/checkpoint.h"
#include "cloze/config.h"
#include "cloze/convert.h"
#include "cloze/error.h"
#include "cloze/export.h"
#include "cloze/hub.h"
#include "cloze/machine.h"
#include "cloze/model_info.h"
#include "cloze/threads.h"
#include "cloze/version.h"
#include "python/src/arrays.h"
#include "python/src/bind.h"
#include "python/src/call.h"

namespace cloze::python {
namespace {

std::optional<DType> weights_dtype(std::optional<std::string_view> name) {
  if (!name) return std::nullopt;
  if (*name == "float32") return DType::f32;
  if (*name == "float16") return DType::f16;
  if (*name == "bfloat16") return DType::bf16;
  throw nb::value_error(("there is no dtype '" + std::string(*name) +
                         "' of weights: there are float32, float16 and bfloat16")
                            .c_str());
}

nb::dict info_of(const std::string& name, nb::object progress) {
  Call call(std::move(progress));
  const auto info = call.run([&] { return model_info(name, call.callback()); });
  nb::dict result;
  result["directory"] = info.directory.string();
  result["config_json"] = info.config.to_json();
  result["parameters"] = info.parameters;
  result["bytes"] = info.bytes;
  result["dtypes"] = info.dtypes;
  result["pooler"] = info.pooler;
  nb::list heads;
  for (const auto& head : info.heads) {
    nb::dict entry;
    entry["name"] = head.name;
    entry["architecture"] = head.architecture;
    entry["pipeline"] = head.pipeline;
    heads.append(entry);
  }
  result["heads"] = heads;
  nb::dict tokenizer;
  tokenizer["file"] = info.tokenizer.file;
  tokenizer["problem"] = info.tokenizer.problem;
  tokenizer["vocab_size"] = info.tokenizer.vocab_size;
  tokenizer["do_lower_case"] = info.tokenizer.do_lower_case;
  tokenizer["model_max_length"] = info.tokenizer.model_max_length;
  tokenizer["tokenizer_class"] = info.tokenizer.tokenizer_class;
  result["tokenizer"] = tokenizer;
  nb::list settings;
  for (const auto& setting : info.settings) {
    nb::dict entry;
    entry["name"] = setting.name;
    entry["value"] = setting.value;
    entry["file"] = setting.file;
    settings.append(entry);
  }
  result["settings"] = settings;
  result["warnings"] = info.warnings;
  return result;
}

nb::dict convert(const std::string& source, const std::filesystem::path& destination,
                 std::optional<std::string_view> dtype, std::int64_t max_shard_bytes,
                 bool overwrite, std::optional<bool> lowercase, nb::object progress) {
  const ConvertOptions options{.dtype = weights_dtype(dtype),
                               .max_shard_bytes = max_shard_bytes,
                               .overwrite = overwrite,
                               .lowercase = lowercase};
  Call call(std::move(progress));
  const auto model =
      call.run([&] { return convert_model(source, destination, options, call.callback()); });
  nb::dict result;
  result["architecture"] = model.architecture;
  result["tensors"] = model.tensors;
  result["bytes"] = model.bytes;
  result["tokenizer"] = model.tokenizer;
  result["left_out"] = model.left_out;
  return result;
}

nb::dict export_model(const std::string& source, const std::filesystem::path& path,
                      std::string task, bool external_data, nb::object progress) {
  const ExportOptions options{.task = std::move(task), .external_data = external_data};
  Call call(std::move(progress));
  const auto model = call.run([&] { return export_onnx(source, path, options, call.callback()); });
  nb::dict result;
  result["task"] = model.task;
  result["inputs"] = model.inputs;
  result["outputs"] = model.outputs;
  result["nodes"] = model.nodes;
  result["weights"] = model.weights;
  result["bytes"] = model.bytes;
  result["data_file"] = model.data_file.string();
  return result;
}

/// The Hub's settings: those of the environment, and what the caller says instead.
HubSettings hub_settings(std::optional<std::filesystem::path> cache,
                         std::optional<std::string> token, bool offline) {
  auto settings = HubSettings::from_environment();
  if (cache) settings.cache = std::move(*cache);
  if (token) {
    settings.token = std::move(*token);
    settings.token_source = "the argument token";
  }
  settings.offline = settings.offline || offline;
  return settings;
}

std::filesystem::path locate(const std::string& name, std::optional<std::filesystem::path> cache,
                             std::optional<std::string> token, bool offline, nb::object progress) {
  Call call(std::move(progress));
  if (!cache && !token && !offline) {
    return call.run([&] { return find_model(name, call.callback()); });
  }
  auto settings = hub_settings(std::move(cache), std::move(token), offline);
  settings.progress = call.callback();
  return call.run([&] { return hub_model(name, settings).directory; });
}

nb::dict pull(const std::string& name, std::optional<std::filesystem::path> cache,
              std::optional<std::string> token, nb::object progress) {
  auto settings = hub_settings(std::move(cache), std::move(token), false);
  Call call(std::move(progress));
  settings.progress = call.callback();
  const auto model = call.run([&] { return pull_model(name, settings); });
  nb::dict result;
  result["name"] = model.name;
  result["revision"] = model.revision;
  result["commit"] = model.commit;
  result["directory"] = model.directory.string();
  nb::list files;
  for (const auto& file : model.files) files.append(file.name);
  result["files"] = files;
  return result;
}

nb::dict load_tensors(const std::filesystem::path& path) {
  const auto checkpoint = Checkpoint::open(path);
  nb::dict result;
  for (const auto& name : checkpoint.names()) {
    auto tensor = checkpoint.tensor(name);
    const auto address = reinterpret_cast<std::uintptr_t>(tensor.bytes().data());
    if (address % size_of(tensor.dtype()) != 0) {  // a mapped file need not align its tensors
      auto aligned = Tensor::zeros(tensor.dtype(), tensor.shape());
      const auto from = tensor.bytes();
      std::copy(from.begin(), from.end(), aligned.mutable_bytes().begin());
      tensor = std::move(aligned);
    }
    result[name.c_str()] = array_of(std::move(tensor), false);
  }
  return result;
}

nb::dict machine() {
  MachineInfo info;
  {
    const nb::gil_scoped_release release;
    info = machine_info();
  }
  const auto rate = [](double giga) -> nb::object {
    if (giga > 0) return nb::float_(giga);
    return nb::none();
  };
  nb::dict result;
  result["processor"] = info.processor;
  result["instruction_sets"] = info.instruction_sets;
  result["library"] = info.library;
  result["threads"] = info.threads.wanted;
  result["f32_gflops"] = info.f32_gflops;
  result["bf16_gflops"] = rate(info.bf16_gflops);
  result["int8_gops"] = rate(info.int8_gops);
  result["best"] = info.best == Precision::bf16 ? "bfloat16" : "float32";
  result["reason"] = info.reason;
  result["kept_in"] = info.kept_in.string();
  return result;
}

void bind_process(nb::module_& module) {
  module.def("machine_info", &machine);
  module.def("set_num_threads", &set_num_threads, nb::arg("count"),
             nb::call_guard<nb::gil_scoped_release>());
  module.def("get_num_threads", &num_threads);
  module.def("version", [] { return std::string(version()); });
  module.def(
      "config_from_json",
      [](std::string_view json, const std::string& origin) {
        return BertConfig::from_json(json, origin).to_json();
      },
      nb::arg("json"), nb::arg("origin"));
}

}  // namespace

void bind_files(nb::module_& module) {
  bind_process(module);
  module.def("model_info", &info_of, nb::arg("name"), nb::arg("progress").none() = nb::none());
  module.def("convert", &convert, nb::arg("source"), nb::arg("destination"),
             nb::arg("dtype").none() = nb::none(), nb::arg("max_shard_bytes") = 5'000'000'000,
             nb::arg("overwrite") = false, nb::arg("lowercase").none() = nb::none(),
             nb::arg("progress").none() = nb::none());
  module.def("export_onnx", &export_model, nb::arg("source"), nb::arg("path"), nb::arg("task") = "",
             nb::arg("external_data") = false, nb::arg("progress").none() = nb::none());
  module.def("onnx_tasks", &onnx_tasks);
  module.def("find_model", &locate, nb::arg("name"), nb::arg("cache").none() = nb::none(),
             nb::arg("token").none() = nb::none(), nb::arg("offline") = false,
             nb::arg("progress").none() = nb::none());
  module.def("pull", &pull, nb::arg("name"), nb::arg("cache").none() = nb::none(),
             nb::arg("token").none() = nb::none(), nb::arg("progress").none() = nb::none());
  module.def("load_tensors", &load_tensors, nb::arg("path"));
}

}  // namespace cloze::python
