#include "serve/run/log.h"

#include <chrono>
#include <cstdio>
#include <ctime>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "serve/json/writer.h"

namespace cloze::serve {
namespace {

std::string now() {
  const auto time = std::chrono::system_clock::now();
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count() % 1000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(time)), ms);
}

}  // namespace

void Log::write(std::string line) {
  line += '\n';
  const std::lock_guard lock(mutex_);
  (void)std::fwrite(line.data(), 1, line.size(), stderr);
}

void Log::request(std::string_view method, const Served& served, std::string_view id,
                  std::string_view peer) {
  if (format_ == LogFormat::none) return;
  constexpr double ms = 1000;
  if (format_ == LogFormat::text) {
    write(
        fmt::format("{} {} {} {} inputs={} tokens={} truncated={} total={:.2f}ms "
                    "tokenize={:.2f}ms queue={:.2f}ms inference={:.2f}ms id={} peer={}",
                    now(), method, served.route, served.status, served.inputs, served.tokens,
                    served.truncated, served.total * ms, served.tokenization * ms,
                    served.queue * ms, served.inference * ms, id, peer.empty() ? "-" : peer));
    return;
  }
  std::string line = "{";
  append_field(line, "time", now());
  append_field(line, "method", method);
  append_field(line, "route", served.route);
  append_field(line, "status", served.status);
  append_field(line, "inputs", served.inputs);
  append_field(line, "tokens", served.tokens);
  append_field(line, "truncated", served.truncated);
  append_field(line, "total_ms", served.total * ms);
  append_field(line, "tokenize_ms", served.tokenization * ms);
  append_field(line, "queue_ms", served.queue * ms);
  append_field(line, "inference_ms", served.inference * ms);
  append_field(line, "request_id", id);
  append_field(line, "peer", peer);
  write(line + '}');
}

void Log::event(std::string_view what) {
  if (format_ == LogFormat::none) return;
  if (format_ == LogFormat::text) {
    write(fmt::format("{} {}", now(), what));
    return;
  }
  std::string line = "{";
  append_field(line, "time", now());
  append_field(line, "event", what);
  write(line + '}');
}

}  // namespace cloze::serve
