#include "serve/run/server.h"

#include <algorithm>
#include <exception>
#include <new>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <sys/resource.h>

#include "cloze/error.h"
#include "cloze/threads.h"
#include "serve/http/listen.h"
#include "serve/json/fields.h"
#include "serve/json/reader.h"
#include "serve/openapi.h"
#include "serve/request_error.h"
#include "serve/routes/about.h"
#include "serve/routes/table.h"
#include "serve/routes/unique_id.h"
#include "serve/run/api_keys.h"
#include "serve/run/metrics.h"
#include "serve/run/warm_up.h"
#include "serve/run/worker.h"

namespace cloze::serve {
namespace {

constexpr std::size_t kSmallBody = std::size_t{64} << 10U;  // read on the thread of connections
constexpr std::size_t kSmallAnswer = 64;                    // inputs whose answer is written there
constexpr std::int64_t kSmallTokens = 4096;

double seconds_between(TimePoint begin, TimePoint end) {
  return std::max(0.0, std::chrono::duration<double>(end - begin).count());
}

/// A client's request id where it can stand in a header and a log, else a new one.
std::string request_id_of(const HttpRequest& request) {
  const auto stated = request.header("x-request-id");
  const bool good = !stated.empty() && stated.size() <= 128 &&
                    std::all_of(stated.begin(), stated.end(), [](char c) {
                      return c > 0x20 && c < 0x7F && c != '"' && c != '\\';
                    });
  return good ? std::string(stated) : unique_id();
}

/// "application/json", with or without parameters.
bool is_json(std::string_view type) {
  constexpr std::string_view json = "application/json";
  const auto end = std::min(type.find(';'), type.size());
  auto name = type.substr(0, end);
  while (name.ends_with(' ')) name.remove_suffix(1);
  return name.size() == json.size() &&
         std::equal(name.begin(), name.end(), json.begin(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
}

/// What a metric calls the reason of a failure.
std::string_view reason_of_failure(const RequestError& error) {
  if (error.status() == 429) return "overloaded";
  if (error.status() == 503) return "dropped";
  if (error.status() == 424) return "model_type";
  if (std::string_view(error.what()).starts_with("batch size")) return "batch_size";
  return error.status() >= 500 ? "inference" : "validation";
}

/// The error that an exception is to a client.
RequestError as_request_error(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const RequestError& error) {
    return error;
  } catch (const ArgumentError& error) {  // TextTooLong among them
    return invalid(error.what());
  } catch (const ModelError& error) {
    return {424, "Backend", error.what()};
  } catch (const std::bad_alloc&) {
    return {500, "Backend", "the server has not enough memory for this request: send less at once"};
  } catch (const std::exception& error) {
    return {500, "Backend", fmt::format("the server failed: {}", error.what())};
  }
}

/// A request on its way through the server.
struct Pending {
  std::shared_ptr<Exchange> exchange;
  FoundRoute route;
  std::string id, method, peer;
  TimePoint arrived, prepared;
  Reply reply;
  ErrorStyle style = ErrorStyle::native;
};

HttpResponse error_response(const RequestError& error, ErrorStyle style) {
  HttpResponse response{.status = status_for(error, style), .body = body_for(error, style)};
  if (error.status() == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (!error.allow.empty()) response.headers.emplace_back("Allow", error.allow);
  if (error.retry_after > 0) {
    response.headers.emplace_back("Retry-After", std::to_string(error.retry_after));
  }
  response.close = error.close;
  return response;
}

void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

struct Server::Impl {
  explicit Impl(const ServerOptions& wanted);

  void load();
  void open();
  void check(const HttpRequest& request) const;
  void handle(const std::shared_ptr<Exchange>& exchange);
  void answer_get(const std::shared_ptr<Pending>& pending);
  void prepare(const std::shared_ptr<Pending>& pending);
  void submit(const std::shared_ptr<Pending>& pending);
  void finish(const std::shared_ptr<Pending>& pending, JobEnd end);
  void send(const Pending& pending, HttpResponse response);
  void fail(const Pending& pending, const RequestError& error);
  HttpResponse refuse(const HttpRequest& request, const RequestError& error);
  [[nodiscard]] AboutServer about() const;

  ServerOptions options;
  ApiKeys keys;
  std::unique_ptr<Service> service;
  Metrics metrics;
  Log log;
  std::vector<std::string> warnings, addresses;
  int port = 0;
  bool draining = false;  // on the thread of connections
  TimePoint started = Clock::now();
  std::int64_t started_at = std::chrono::duration_cast<std::chrono::seconds>(
                                std::chrono::system_clock::now().time_since_epoch())
                                .count();
  HttpServer http;
  std::unique_ptr<Worker> worker;
  std::unique_ptr<Scheduler> scheduler;
};

Server::Impl::Impl(const ServerOptions& wanted)
    : options(wanted),
      keys(wanted.api_keys, wanted.api_key_file),
      log(wanted.log),
      http(wanted.http,
           {.check = [this](const HttpRequest& request) { check(request); },
            .handle = [this](const std::shared_ptr<Exchange>& exchange) { handle(exchange); },
            .refuse = [this](const HttpRequest& request,
                             const RequestError& error) { return refuse(request, error); },
            .tick =
                [this] {
                  if (scheduler) scheduler->expire();
                },
            .draining =
                [this] {
                  draining = true;
                  notify_systemd("STOPPING=1");
                  log.event("asked to end: answering what is in flight");
                }}) {
  load();
  worker = std::make_unique<Worker>();
  scheduler = std::make_unique<Scheduler>(
      options.scheduler,
      [this](std::size_t units, std::int64_t tokens) { metrics.batch(units, tokens); });
  open();
}

void Server::Impl::load() {
  std::vector<std::unique_ptr<ServedModel>> models;
  for (const auto& choice : options.models) {
    auto model = std::make_unique<ServedModel>(choice, options.pipeline);
    for (const auto& warning : model->warnings()) {
      warnings.push_back(fmt::format("{}: {}", model->name(), warning));
    }
    warm_up(*model);
    models.push_back(std::move(model));
  }
  service = std::make_unique<Service>(std::move(models), options.limits);
}

void Server::Impl::open() {
  raise_file_limit();
  auto sockets = systemd_sockets();
  if (sockets.empty()) {
    if (options.tcp) {
      for (const auto& host : options.hosts) {
        for (auto& socket : listen_at(host, options.port)) sockets.push_back(std::move(socket));
      }
    }
    if (!options.unix_path.empty()) sockets.push_back(listen_at_path(options.unix_path));
  }
  for (auto& socket : sockets) {
    if (socket.is_public() && !keys.any()) {
      warnings.push_back(
          fmt::format("{} is open to other machines, without a key: see --api-key", socket.name()));
    }
    if (port == 0) port = socket.port();
    addresses.push_back(socket.name());
    http.listen(std::move(socket));
  }
}

AboutServer Server::Impl::about() const {
  const auto state = scheduler->state();
  return {.most_connections = options.http.most_connections,
          .batch_tokens = state.batch_tokens,
          .queue_tokens = state.queue_tokens,
          .threads = num_threads(),
          .uptime_seconds = seconds_between(started, Clock::now()),
          .started = started_at};
}

void Server::Impl::check(const HttpRequest& request) const {
  const auto route = find_route(request.path);
  const bool open = route.is_public && request.method != "POST" &&
                    !(options.protect_metrics && route.get == "metrics");
  if (!open && !keys.allow(request)) {
    throw RequestError(401, "Validation",
                       "the key is missing or wrong: send it as \"Authorization: Bearer KEY\"");
  }
  const bool get = request.method == "GET" || request.method == "HEAD";
  if (get ? route.get.empty() : request.method != "POST" || !route.post) {
    throw RequestError(405, "Validation",
                       fmt::format("{} answers {} alone", route.name, route.allow()))
        .with_allow(route.allow());
  }
  if (get) return;
  if (!is_json(request.header("content-type"))) {
    throw RequestError(415, "Validation",
                       "the body must be JSON: send \"Content-Type: application/json\"");
  }
  const auto encoding = request.header("content-encoding");
  if (!encoding.empty() && encoding != "identity") {
    throw RequestError(415, "Validation",
                       "the body is compressed, which is not read here: send it as it is");
  }
}

HttpResponse Server::Impl::refuse(const HttpRequest& request, const RequestError& error) {
  std::string_view name = "(none)";
  try {
    name = find_route(request.path).name;
  } catch (const RequestError&) {  // NOLINT(bugprone-empty-catch): no route
  }
  auto response = error_response(error, style_of(request.path));
  const auto id = request_id_of(request);
  response.headers.emplace_back("X-Request-Id", id);
  const Served served{.route = name, .status = response.status};
  metrics.failed(reason_of_failure(error));
  metrics.served(served);
  log.request(request.method.empty() ? "-" : request.method, served, id, request.peer);
  return response;
}

void Server::Impl::handle(const std::shared_ptr<Exchange>& exchange) {
  auto pending = std::make_shared<Pending>();
  const auto& request = exchange->request();
  pending->exchange = exchange;
  pending->arrived = pending->prepared = Clock::now();
  pending->id = request_id_of(request);
  pending->method = request.method;
  pending->peer = request.peer;
  pending->route = find_route(request.path);
  pending->style = pending->route.style;
  if (request.method != "POST") {
    answer_get(pending);
  } else if (request.body.size() <= kSmallBody) {
    prepare(pending);
    submit(pending);
  } else {
    worker->run([this, pending] {
      prepare(pending);
      pending->exchange->post([this, pending] { submit(pending); });
    });
  }
}

void Server::Impl::answer_get(const std::shared_ptr<Pending>& pending) {
  const auto what = pending->route.get;
  HttpResponse response;
  try {
    if (what == "info") {
      response.body = info_json(*service, about());
    } else if (what == "models") {
      response.body = models_json(*service, about());
    } else if (what == "model") {
      response.body = model_json(*service, *pending->route.model, about());
    } else if (what == "openapi") {
      response.body = openapi_json();
    } else if (what == "metrics") {
      Metrics::Facts facts{.scheduler = scheduler->state(),
                           .connections = http.counts(),
                           .ready = !draining,
                           .models = {}};
      for (const auto& model : service->models()) {
        facts.models.emplace_back(model->name(), model->dtype());
      }
      response.body = metrics.text(facts);
      response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    } else if (what == "health" && draining) {
      throw RequestError(503, "Unhealthy", "unhealthy");
    } else {
      response.content_type.clear();  // an empty body
    }
  } catch (const RequestError& error) {
    fail(*pending, error);
    return;
  }
  send(*pending, std::move(response));
}

// Reads the request; on any thread. The exchange is answered where it cannot be.
void Server::Impl::prepare(const std::shared_ptr<Pending>& pending) {
  auto& request = pending->exchange->request();
  try {
    const auto body = parse_object(request.body);
    std::string().swap(request.body);
    const Fields fields(body);
    if (pending->route.name == "/rerank" && fields.has("documents")) {
      pending->style = ErrorStyle::openai;  // Jina's clients
    }
    auto model = pending->route.model ? pending->route.model : fields.text("model");
    pending->reply = pending->route.post(*service, {body, std::move(model)});
    if (!pending->reply.job) {
      HttpResponse response{.body = pending->reply.write()};
      pending->prepared = Clock::now();
      send(*pending, std::move(response));
      pending->exchange = nullptr;
    }
  } catch (...) {
    fail(*pending, as_request_error(std::current_exception()));
    pending->exchange = nullptr;
  }
  pending->prepared = Clock::now();
}

// On the thread of connections.
void Server::Impl::submit(const std::shared_ptr<Pending>& pending) {
  if (!pending->exchange || !scheduler) return;
  const auto* const job = pending->reply.job.get();
  scheduler->submit(pending->reply.job, pending->arrived + options.request_time,
                    [this, pending](JobEnd end) {
                      const auto& reply = pending->reply;
                      if (reply.inputs <= kSmallAnswer && reply.tokens <= kSmallTokens) {
                        pending->exchange->post([this, pending, end] { finish(pending, end); });
                      } else {
                        worker->run([this, pending, end] { finish(pending, end); });
                      }
                    });
  pending->exchange->on_gone([this, job, pending] {
    if (!scheduler) return;
    scheduler->cancel(job);
    metrics.failed("dropped");
  });
}

void Server::Impl::finish(const std::shared_ptr<Pending>& pending, JobEnd end) {
  const auto late = [&](int status, const char* type, const std::string& what) {
    RequestError error(status, type, what);
    error.retry_after = scheduler ? scheduler->retry_after() : 1;
    return error;
  };
  try {
    switch (end) {
      case JobEnd::done:
        send(*pending, {.body = pending->reply.write()});
        return;
      case JobEnd::failed:
        std::rethrow_exception(pending->reply.job->failure);
      case JobEnd::refused:
        throw late(429, "Overloaded", "Model is overloaded: try again later");
      case JobEnd::expired:
        throw late(503, "Unhealthy",
                   "the request waited for its turn until its time was over: try again later");
      case JobEnd::cancelled:
        throw late(503, "Unhealthy", "the server is ending: try again later");
    }
  } catch (...) {
    fail(*pending, as_request_error(std::current_exception()));
  }
}

void Server::Impl::fail(const Pending& pending, const RequestError& error) {
  metrics.failed(reason_of_failure(error));
  send(pending, error_response(error, pending.style));
}

void Server::Impl::send(const Pending& pending, HttpResponse response) {
  const auto& reply = pending.reply;
  const auto now = Clock::now();
  Served served{.route = pending.route.name,
                .status = response.status,
                .inputs = reply.inputs,
                .tokens = reply.tokens,
                .truncated = reply.truncated,
                .batch = reply.batch,
                .computed = reply.job && response.status == 200,
                .total = seconds_between(pending.arrived, now)};
  response.headers.emplace_back("X-Request-Id", pending.id);
  if (served.computed) {
    const auto& job = *reply.job;
    served.tokenization = seconds_between(pending.arrived, pending.prepared);
    served.queue = seconds_between(job.submitted, job.started);
    served.inference = seconds_between(job.started, job.ended);
    const auto ms = [](double seconds) { return std::to_string(std::int64_t(seconds * 1000)); };
    auto& headers = response.headers;
    headers.emplace_back("x-compute-type", "cpu");
    headers.emplace_back("x-compute-time", ms(served.total));
    headers.emplace_back("x-compute-characters", std::to_string(reply.characters));
    headers.emplace_back("x-compute-tokens", std::to_string(reply.tokens));
    headers.emplace_back("x-total-time", ms(served.total));
    headers.emplace_back("x-tokenization-time", ms(served.tokenization));
    headers.emplace_back("x-queue-time", ms(served.queue));
    headers.emplace_back("x-inference-time", ms(served.inference));
    headers.emplace_back(
        "Server-Timing",
        fmt::format("tokenize;dur={:.2f}, queue;dur={:.2f}, inference;dur={:.2f}",
                    served.tokenization * 1000, served.queue * 1000, served.inference * 1000));
    if (reply.truncated > 0) {
      headers.emplace_back("x-truncated", std::to_string(reply.truncated));
    }
  }
  metrics.served(served);
  log.request(pending.method, served, pending.id, pending.peer);
  pending.exchange->respond(std::move(response));
}

Server::Server(const ServerOptions& options) : impl_(std::make_unique<Impl>(options)) {}

Server::~Server() {
  impl_->scheduler = nullptr;  // ends what is left, by way of the worker and the connections
  impl_->worker = nullptr;
}

const std::vector<std::string>& Server::addresses() const { return impl_->addresses; }

int Server::port() const { return impl_->port; }

const std::vector<std::string>& Server::warnings() const { return impl_->warnings; }

bool Server::run(bool signals) {
  notify_systemd("READY=1");
  const bool clean = impl_->http.run(signals);
  impl_->log.event(clean ? "ended: all that was accepted is answered"
                         : "ended with requests unanswered: their time was over");
  return clean;
}

void Server::shutdown() { impl_->http.shutdown(); }

}  // namespace cloze::serve
