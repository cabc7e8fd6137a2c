#include "serve/service.h"

#include <utility>

#include <fmt/format.h>

#include "serve/json/fields.h"
#include "serve/request_error.h"

namespace cloze::serve {
namespace {

std::string list_of_names(const std::vector<std::unique_ptr<ServedModel>>& models) {
  std::string names;
  for (const auto& model : models) names += (names.empty() ? "" : ", ") + model->name();
  return names;
}

std::string list_of_tasks(const ServedModel& model) {
  std::string tasks;
  for (const auto& task : model.tasks()) tasks += (tasks.empty() ? "" : ", ") + task;
  return tasks;
}

}  // namespace

Service::Service(std::vector<std::unique_ptr<ServedModel>> models, const ServiceLimits& limits)
    : models_(std::move(models)), limits_(limits) {}

const ServedModel& Service::named(const std::string& name) const {
  for (const auto& model : models_) {
    if (model->name() == name || model->given() == name) return *model;
  }
  if (models_.size() == 1) return *models_.front();
  throw RequestError(404, "Validation",
                     fmt::format("there is no model {} here: there are {}", in_quotes(name),
                                 list_of_names(models_)),
                     "model")
      .with_code("model_not_found");
}

const ServedModel& Service::choose(const std::optional<std::string>& name, const Can& can,
                                   std::string_view what) const {
  if (!name) {
    for (const auto& model : models_) {
      if (can(*model)) return *model;
    }
  }
  if (!name && models_.size() > 1) {
    throw not_this_model(
        fmt::format("none of the models here does {}: GET /info lists what they do", what));
  }
  const auto& model = name ? named(*name) : *models_.front();
  if (can(model)) return model;
  throw not_this_model(fmt::format("the model {} does not do {}: it does {}", model.name(), what,
                                   list_of_tasks(model)));
}

}  // namespace cloze::serve
