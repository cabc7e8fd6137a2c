// Arbitrary bytes as the body of a request, the first of them choosing the route: every reader refuses
// it with an Error, or makes of it work that says what it costs.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "cloze/error.h"
#include "serve/json/fields.h"
#include "serve/json/reader.h"
#include "serve/routes/table.h"
#include "serve/service.h"

namespace {

using namespace cloze::serve;

const Service& service() {
  static const Service made = [] {
    std::vector<std::unique_ptr<ServedModel>> models;
    const std::filesystem::path goldens = std::filesystem::path(CLOZE_SOURCE_DIR) / "tests/goldens";
    for (const auto* name : {"bare_odd", "token_5_layers", "question_legacy_names",
                             "masked_lm_untied", "sequence_3_labels", "search/splade_max"}) {
      models.push_back(std::make_unique<ServedModel>(
          ModelChoice{.name = name, .given = name, .directory = goldens / name},
          cloze::PipelineOptions{}));
    }
    return Service(std::move(models), {});
  }();
  return made;
}

constexpr std::array paths{"/",
                           "/embed",
                           "/embed_all",
                           "/embed_sparse",
                           "/predict",
                           "/rerank",
                           "/similarity",
                           "/tokenize",
                           "/decode",
                           "/v1/embeddings",
                           "/v1/rerank",
                           "/v2/rerank",
                           "/v2/embed",
                           "/pipeline/text-classification",
                           "/pipeline/token-classification",
                           "/pipeline/question-answering",
                           "/pipeline/fill-mask",
                           "/pipeline/zero-shot-classification"};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto route = find_route(paths[data[0] % paths.size()]);
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  try {
    const auto body = parse_object(text);
    const auto reply = route.post(service(), {body, Fields(body).text("model")});
    if (!reply.job) {
      (void)reply.write();
      return 0;
    }
    if (reply.job->tokens.empty() || reply.inputs == 0) std::abort();
    for (const auto tokens : reply.job->tokens) {
      if (tokens < 1) std::abort();
    }
  } catch (const cloze::Error&) {
    return 0;
  }
  return 0;
}
