/// \file
/// What the routes work with: the models by name, the limits, and the reply that a route makes of a
/// request.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "serve/schedule/job.h"
#include "serve/served_model.h"

namespace cloze::serve {

/// The limits of requests.
struct ServiceLimits {
  std::size_t most_inputs = 2048;  ///< texts, pairs, documents of a request
  std::size_t most_labels = 1000;  ///< candidate labels of zero-shot classification
  std::int64_t most_top_k = 1000;
  /// Tokens of one text that cannot be divided: a long context, a text with many labels.
  std::int64_t most_unit_tokens = std::int64_t{1} << 17U;
  std::int64_t most_numbers = std::int64_t{64} << 20U;        ///< of an answer of token vectors
  std::int64_t most_answer_bytes = std::int64_t{256} << 20U;  ///< of other answers, estimated
  bool auto_truncate = true;                                  ///< of requests that do not say
};

/// The models that are served; what there is to know of them is the same for every request.
class Service {
 public:
  Service(std::vector<std::unique_ptr<ServedModel>> models, const ServiceLimits& limits);

  [[nodiscard]] const std::vector<std::unique_ptr<ServedModel>>& models() const { return models_; }
  [[nodiscard]] const ServiceLimits& limits() const { return limits_; }

  /// The model of a name. A lone model has every name. Throws RequestError: 404 for a name that is
  /// not there.
  [[nodiscard]] const ServedModel& named(const std::string& name) const;

  /// Whether a model answers something.
  using Can = std::function<bool(const ServedModel&)>;

  /// The model that a request is for: that of the name, else the first that `can` do it. Throws
  /// RequestError: 404 as above, 424 where it (or, without a name, any) cannot; `what` completes
  /// "this server has no model for ...".
  [[nodiscard]] const ServedModel& choose(const std::optional<std::string>& name, const Can& can,
                                          std::string_view what) const;

 private:
  std::vector<std::unique_ptr<ServedModel>> models_;
  ServiceLimits limits_;
};

/// What a route makes of a request: work for the scheduler, and how to write the answer.
struct Reply {
  std::shared_ptr<Job> job;  ///< null: the answer can be written at once
  std::function<std::string()> write;
  std::string content_type = "application/json";
  std::size_t inputs = 0;      ///< texts, pairs, documents
  std::size_t characters = 0;  ///< bytes of them
  std::int64_t tokens = 0;     ///< that are computed
  std::size_t truncated = 0;   ///< texts that were cut
  bool batch = false;          ///< whether the request could hold several inputs and did
};

/// A request as a route sees it.
struct Asked {
  const nlohmann::json& body;        ///< an object; empty of a GET
  std::optional<std::string> model;  ///< by the path or the field "model"
};

using Route = std::function<Reply(const Service& service, const Asked& asked)>;

}  // namespace cloze::serve
