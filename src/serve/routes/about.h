/// \file
/// What the server says of itself and its models.
#pragma once

#include <cstdint>
#include <string>

#include "serve/service.h"

namespace cloze::serve {

/// What /info tells besides the models.
struct AboutServer {
  std::size_t most_connections = 0;
  std::int64_t batch_tokens = 0, queue_tokens = 0;
  int threads = 0;
  double uptime_seconds = 0;
  std::int64_t started = 0;  ///< in seconds since 1970
};

/// text-embeddings-inference's /info of the first model, with `models` beside it, JSON.
[[nodiscard]] std::string info_json(const Service& service, const AboutServer& about);

/// OpenAI's list of models, and one of them. Throws RequestError (404) for a name that is not there.
[[nodiscard]] std::string models_json(const Service& service, const AboutServer& about);
[[nodiscard]] std::string model_json(const Service& service, const std::string& name,
                                     const AboutServer& about);

}  // namespace cloze::serve
