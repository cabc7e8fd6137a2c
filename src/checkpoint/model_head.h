/// \file
/// Which class of transformers a checkpoint is.
#pragma once

#include <string_view>

#include "checkpoint/model_names.h"
#include "cloze/config.h"

namespace cloze {

/// The class of transformers that has all of the tensors, without its family: "ForMaskedLM",
/// "Model". What `classifier` is, the tensors do not tell: the configuration's own class is
/// believed.
[[nodiscard]] std::string_view head_of(const ModelNames& names, const BertConfig& config);

}  // namespace cloze
