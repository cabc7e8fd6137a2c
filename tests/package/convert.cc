// A checkpoint of any format becomes a Hugging Face directory.
#include <cloze/checkpoint.h>
#include <cloze/convert.h>
#include <cloze/model_info.h>

#include "tour.h"

void convert(const Folders& folders) {
  const auto source = folders.models / "tensorflow" / "release";
  const auto destination = folders.work / "converted";

  const auto converted = cloze::convert_model(source, destination, {.dtype = cloze::DType::bf16});
  std::cout << converted.architecture << ": " << converted.tensors << " tensors, "
            << converted.bytes << " bytes\n";

  const auto info = cloze::model_info(destination);
  for (const auto& head : info.heads) std::cout << head.architecture << '\n';

  check(converted.architecture == "BertForPreTraining" && converted.tokenizer);
  check(info.parameters == cloze::model_info(source).parameters);
  check(info.heads.size() == 2 && info.heads[0].architecture == "BertForMaskedLM");
  const auto checkpoint = cloze::Checkpoint::open(destination);
  check(checkpoint.names().size() == static_cast<std::size_t>(converted.tensors));
  check(checkpoint.info("bert.pooler.dense.weight").dtype == cloze::DType::bf16);
}
