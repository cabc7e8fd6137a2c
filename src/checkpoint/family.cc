#include "checkpoint/family.h"

#include "cloze/error.h"

namespace cloze::internal {

Family family_of(const BertConfig& config) {
  if (config.model_type == "distilbert") return Family::distilbert;
  if (config.model_type == "electra") return Family::electra;
  if (config.model_type == "dpr") return Family::dpr;
  return Family::bert;
}

Family trained_family(const BertConfig& config) {
  return family_of(config) == Family::electra ? Family::electra : Family::bert;
}

std::string_view class_prefix(Family family) {
  switch (family) {
    case Family::bert:
    case Family::dpr:
      return "Bert";
    case Family::distilbert:
      return "DistilBert";
    case Family::electra:
      return "Electra";
  }
  throw ArgumentError("not a family of models");
}

std::string_view tensor_prefix(Family family) {
  switch (family) {
    case Family::bert:
    case Family::dpr:
      return "bert.";
    case Family::distilbert:
      return "distilbert.";
    case Family::electra:
      return "electra.";
  }
  throw ArgumentError("not a family of models");
}

}  // namespace cloze::internal
