#include "serve/routes/table.h"

#include <array>

#include <fmt/format.h>

#include "serve/json/fields.h"
#include "serve/routes/tasks.h"
#include "serve/routes/texts.h"
#include "serve/routes/vectors.h"

namespace cloze::serve {
namespace {

using Answer = Reply (*)(const Service&, const Asked&);

struct Entry {
  std::string_view path;
  ErrorStyle style;
  Answer post;
  std::string_view get;
  bool is_public;
};

constexpr auto native = ErrorStyle::native;
constexpr auto openai = ErrorStyle::openai;

constexpr std::array<Entry, 25> kRoutes{{
    {"/", native, &answer_default, "health", true},
    {"/invocations", native, &answer_default, "", false},
    {"/embed", native, &embed, "", false},
    {"/embed_all", native, &embed_all, "", false},
    {"/embed_sparse", native, &embed_sparse, "", false},
    {"/predict", native, &predict, "", false},
    {"/rerank", native, &rerank, "", false},
    {"/similarity", native, &similarity, "", false},
    {"/tokenize", native, &tokenize, "", false},
    {"/decode", native, &decode, "", false},
    {"/embeddings", openai, &openai_embeddings, "", false},
    {"/v1/embeddings", openai, &openai_embeddings, "", false},
    {"/v1/rerank", openai, &jina_rerank, "", false},
    {"/v2/rerank", openai, &cohere_rerank, "", false},
    {"/v2/embed", openai, &cohere_embed, "", false},
    {"/v1/models", openai, nullptr, "models", false},
    {"/info", native, nullptr, "info", false},
    {"/metrics", native, nullptr, "metrics", true},
    {"/openapi.json", native, nullptr, "openapi", true},
    {"/health", native, nullptr, "health", true},
    {"/ping", native, nullptr, "health", true},
    {"/health/live", native, nullptr, "live", true},
    {"/health/ready", native, nullptr, "health", true},
    {"/v2/health/live", native, nullptr, "live", true},
    {"/v2/health/ready", native, nullptr, "health", true},
}};

/// Takes `prefix` off the path; false where it does not begin with it and something more.
bool take(std::string_view& path, std::string_view prefix) {
  if (!path.starts_with(prefix) || path.size() == prefix.size()) return false;
  path.remove_prefix(prefix.size());
  return true;
}

Route task_route(std::string_view task) {
  return [task = std::string(task)](const Service& service, const Asked& asked) {
    return answer_task(service, asked, task);
  };
}

}  // namespace

ErrorStyle style_of(std::string_view path) {
  for (const auto& entry : kRoutes) {
    if (entry.path == path) return entry.style;
  }
  const bool theirs =
      path.starts_with("/v1/") || (path.starts_with("/v2/") && !path.starts_with("/v2/health/"));
  return theirs ? openai : native;
}

FoundRoute find_route(std::string_view path) {
  for (const auto& entry : kRoutes) {
    if (entry.path != path) continue;
    return {.name = entry.path,
            .style = entry.style,
            .is_public = entry.is_public,
            .post = entry.post != nullptr ? Route(entry.post) : Route(),
            .get = entry.get};
  }
  auto rest = path;
  if (take(rest, "/v1/models/")) {
    return {.name = "/v1/models/{id}", .style = openai, .get = "model", .model = std::string(rest)};
  }
  if (take(rest, "/pipeline/")) return {.name = "/pipeline/{task}", .post = task_route(rest)};
  if (take(rest, "/models/")) {
    constexpr std::string_view pipeline = "/pipeline/";
    const auto place = rest.rfind(pipeline);
    if (place == std::string_view::npos) {
      return {.name = "/models/{id}", .post = &answer_default, .model = std::string(rest)};
    }
    return {.name = "/models/{id}/pipeline/{task}",
            .post = task_route(rest.substr(place + pipeline.size())),
            .model = std::string(rest.substr(0, place))};
  }
  throw RequestError(
      404, "Validation",
      fmt::format("there is nothing at {}: GET /openapi.json lists the routes", in_quotes(path)));
}

}  // namespace cloze::serve
