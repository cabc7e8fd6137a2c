/// \file
/// cloze serve: models over HTTP.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/options.h"
#include "cloze/error.h"
#include "cloze/hub.h"
#include "cloze/pooling.h"
#include "serve/run/server.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
Which routes there are depends on what the models can do: GET /info tells, GET /openapi.json describes them all,
docs/serve.md explains. Clients of text-embeddings-inference, OpenAI (base URL .../v1), Jina, Cohere and Hugging
Face (InferenceClient) work as they are. A vector does not depend on who else is being served.

SIGTERM ends the server after it has answered what it accepted. The log goes to standard error, and never has a
text or a key in it. Keys can also stand in CLOZE_API_KEY, which other users of the machine do not see.

Examples:
  cloze serve --model all-MiniLM-L6-v2
  cloze serve --model encoder=./minilm --model ner=./ner --port 8080 --threads 2
  cloze serve --model ./rerank --host 0.0.0.0 --api-key-file keys.txt --log-format json
  cloze serve --model ./bert --pooling mean --unix /run/cloze/cloze.sock --no-tcp
  curl -s 127.0.0.1:3000/embed -H 'Content-Type: application/json' -d '{"inputs":"Hello"}'
)";

/// "NAME=DIR_OR_NAME" or "DIR_OR_NAME", whose name is its last part.
serve::ModelChoice choice_of(const std::string& word) {
  const auto equals = word.find('=');
  const bool named = equals != std::string::npos && word.find('/') > equals;
  serve::ModelChoice choice;
  choice.given = named ? word.substr(equals + 1) : word;
  if (choice.given.empty() || (named && equals == 0)) {
    throw UsageError(fmt::format("--model is {}: it must be DIR_OR_NAME or NAME=DIR_OR_NAME",
                                 cli::quoted(word)));
  }
  auto path = std::string_view(choice.given);
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  choice.name = named ? word.substr(0, equals) : std::string(path.substr(path.rfind('/') + 1));
  return choice;
}

/// --NAME SECONDS
void add_seconds(CLI::App& app, const std::string& name, std::chrono::milliseconds& target,
                 const std::string& about) {
  add_number(
      app, name,
      [&target](double seconds) {
        target = std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
      },
      fmt::format("{} (default: {} s)", about, static_cast<double>(target.count()) / 1000),
      above(0, 86400))
      ->type_name("SECONDS");
}

struct ServeOptions {
  ModelOptions model;
  std::vector<std::string> models;
  std::string pooling, log_format = "text";
  serve::ServerOptions server;
  std::int64_t body_mib = 16, bodies_mib = 256, batch_ms = 100;
  bool no_tcp = false, no_truncate = false;
};

void add_sockets(CLI::App& app, ServeOptions& options) {
  auto& server = options.server;
  app.add_option("--host", server.hosts,
                 "addresses to listen at: 0.0.0.0 and :: are all of this machine's")
      ->type_name("ADDRESS,...")
      ->delimiter(',')
      ->capture_default_str();
  add_count(app, "--port", server.port, "0 lets the system choose", 0, 65535);
  app.add_option("--unix", server.unix_path, "listen at a Unix socket too, mode 0660")
      ->type_name("PATH");
  app.add_flag("--no-tcp", options.no_tcp, "at the Unix socket alone");
  app.add_option("--api-key", server.api_keys, "clients must send this key; may be repeated")
      ->type_name("KEY")
      ->allow_extra_args(false);
  app.add_option("--api-key-file", server.api_key_file, "the same, from a file, a key a line")
      ->type_name("FILE");
  app.add_flag("--protect-metrics", server.protect_metrics, "/metrics wants a key as well");
}

void add_limits(CLI::App& app, ServeOptions& options) {
  auto& server = options.server;
  add_count(app, "--max-batch-tokens", server.scheduler.batch_tokens,
            "tokens to compute at once (default: as many as take --batch-ms)", 1,
            std::int64_t{1} << 24);
  add_count(app, "--batch-ms", options.batch_ms,
            "milliseconds that a batch may take: fewer are fairer, more are faster", 1, 60000);
  add_count(app, "--max-queue-tokens", server.scheduler.queue_tokens,
            "tokens that may wait (default: what takes 60 s)", 1, std::int64_t{1} << 40);
  add_seconds(app, "--queue-wait", server.scheduler.patience,
              "how long a request waits for room in the queue, before 429");
  add_seconds(app, "--request-timeout", server.request_time, "how long a request may take");
  add_count(app, "--max-client-batch-size", server.limits.most_inputs,
            "texts, pairs or documents of a request", 1, 1 << 20);
  add_count(app, "--max-body", options.body_mib, "MiB of a request", 1, 1024);
  add_count(app, "--max-bodies-in-flight", options.bodies_mib, "MiB of all requests at once", 1,
            1 << 20);
  add_count(app, "--max-connections", server.http.most_connections, "clients at once", 1, 1 << 20);
  add_seconds(app, "--header-timeout", server.http.head_time, "for a request's head to arrive");
  add_seconds(app, "--idle-timeout", server.http.idle_time, "between a client's requests");
  add_seconds(app, "--shutdown-timeout", server.http.shutdown_time,
              "at the end, for what is in flight");
  app.add_flag("--no-truncate", options.no_truncate,
               "texts that are too long are refused where a request does not say");
}

void complete(ServeOptions& options) {
  auto& server = options.server;
  for (const auto& word : options.models) {
    auto choice = choice_of(word);
    for (const auto& other : server.models) {
      if (other.name != choice.name) continue;
      throw UsageError(fmt::format("two models have the name {}: give one as --model NAME={}",
                                   cli::quoted(choice.name), choice.given));
    }
    if (!options.pooling.empty()) {
      choice.pooling = as_usage([&] { return pooling_from(options.pooling); });
      if (*choice.pooling == Pooling::none)
        throw UsageError("--pooling must make one vector a text");
    }
    server.models.push_back(std::move(choice));
  }
  if (options.no_tcp && server.unix_path.empty()) throw UsageError("--no-tcp goes with --unix");
  server.tcp = !options.no_tcp;
  server.limits.auto_truncate = !options.no_truncate;
  server.scheduler.batch_time = std::chrono::milliseconds(options.batch_ms);
  server.http.most_body = static_cast<std::size_t>(options.body_mib) << 20U;
  server.http.most_bodies = static_cast<std::size_t>(options.bodies_mib) << 20U;
  server.log = options.log_format == "json"   ? serve::LogFormat::json
               : options.log_format == "none" ? serve::LogFormat::none
                                              : serve::LogFormat::text;
  for (const auto& key : server.api_keys) require_value("--api-key", key);
  if (const char* key = std::getenv("CLOZE_API_KEY"); key != nullptr && *key != '\0') {
    server.api_keys.emplace_back(key);  // NOLINT(concurrency-mt-unsafe): no thread runs yet
  }
  server.pipeline = options.model.pipeline_options();
  for (auto& choice : server.models) {
    choice.directory = find_model(choice.given, terminal_progress(), print_notice);
  }
}

}  // namespace

void run_serve(Arguments arguments) {
  CLI::App app("Answers over HTTP with one or more models, until it is ended.", "cloze serve");
  ServeOptions options;
  app.add_option("--model,-m", options.models,
                 "model directory, or a name in the model cache or on the Hub, and what clients "
                 "call it; may be repeated")
      ->type_name("[NAME=]DIR_OR_NAME")
      ->required()
      ->allow_extra_args(false);
  add_dictionary(app);
  app.add_option("--pooling", options.pooling,
                 "serve sentence vectors with this pooling, whatever heads a model has")
      ->type_name("NAME");
  add_sockets(app, options);
  add_limits(app, options);
  app.add_option("--log-format", options.log_format, "text, json or none")
      ->type_name("NAME")
      ->capture_default_str()
      ->check(CLI::IsMember({"text", "json", "none"}));
  options.model.add_computation(app);
  app.footer(examples);
  if (!parse(app, arguments)) return;
  complete(options);
  serve::Server server(options.server);
  for (const auto& warning : server.warnings()) fmt::print(stderr, "warning: {}\n", warning);
  for (const auto& address : server.addresses()) fmt::print(stderr, "listening at {}\n", address);
  if (!server.run(true)) {
    throw Error("requests were still unanswered when --shutdown-timeout was over");
  }
}

}  // namespace cloze::cli
