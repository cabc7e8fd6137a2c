// A model as an ONNX file.
#include <cloze/error.h>
#include <cloze/export.h>

#include "tour.h"

void export_to_onnx(const Folders& folders) {
  const auto model = folders.models / "sequence_3_labels";
  const auto path = folders.work / "model.onnx";

  const auto exported = cloze::export_onnx(model, path, {.task = "text-classification"});
  std::cout << exported.nodes << " operations, " << exported.weights << " weights\n";

  check(exported.inputs ==
        std::vector<std::string>{"input_ids", "attention_mask", "token_type_ids"});
  check(exported.outputs == std::vector<std::string>{"logits"});
  check(static_cast<std::uintmax_t>(exported.bytes) == std::filesystem::file_size(path));
  check(exported.weights > 20 && exported.nodes > 40);

  // A callback that returns false cancels, and then there is no file.
  std::filesystem::remove(path);
  bool cancelled = false;
  try {
    cloze::export_onnx(model, path, {}, [](const cloze::Progress& progress) {
      return progress.done < progress.total / 2;
    });
  } catch (const cloze::Cancelled&) {
    cancelled = true;
  }
  check(cancelled && !std::filesystem::exists(path));
}
