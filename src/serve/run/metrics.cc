#include "serve/run/metrics.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cloze/version.h"

namespace cloze::serve {
namespace {

using Durations = std::array<Histogram, 4>;

Histogram durations() { return {1.5e-5, 1.5, 35}; }
Histogram powers_of_two(std::size_t count) { return {1, 2, count}; }
Durations four() { return {durations(), durations(), durations(), durations()}; }

/// A label's value, escaped.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

void append_type(std::string& out, std::string_view name, std::string_view type) {
  out += fmt::format("# TYPE {} {}\n", name, type);
}

template <class Number>
void append_one(std::string& out, std::string_view name, std::string_view type, Number value) {
  append_type(out, name, type);
  out += fmt::format("{} {}\n", name, value);
}

void append_labelled(std::string& out, std::string_view name, std::string_view label,
                     const std::map<std::string, std::uint64_t>& values) {
  append_type(out, name, "counter");
  for (const auto& [value, count] : values) {
    out += fmt::format("{}{{{}=\"{}\"}} {}\n", name, label, escaped(value), count);
  }
}

void append_durations(std::string& out, std::string_view prefix, const Durations& all) {
  constexpr std::array<std::string_view, 4> parts{"_duration", "_tokenization_duration",
                                                  "_queue_duration", "_inference_duration"};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    all[i].append(out, fmt::format("{}{}", prefix, parts[i]));
  }
}

/// The memory that the process has, in bytes.
std::int64_t resident_bytes() {
  long pages = 0, resident = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "re")) {
    if (std::fscanf(file, "%ld %ld", &pages, &resident) != 2) resident = 0;  // NOLINT(cert-err34-c)
    std::fclose(file);
  }
  return std::int64_t{resident} * ::sysconf(_SC_PAGESIZE);
}

double cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

const double kStarted = static_cast<double>(std::time(nullptr));

}  // namespace

Histogram::Histogram(double first, double factor, std::size_t count) : counts_(count + 1, 0) {
  for (double bound = first; bounds_.size() < count; bound *= factor) bounds_.push_back(bound);
}

void Histogram::add(double value, std::uint64_t times) {
  const auto place = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  counts_[static_cast<std::size_t>(place)] += times;
  sum_ += value * static_cast<double>(times);
}

void Histogram::append(std::string& out, std::string_view name) const {
  append_type(out, name, "histogram");
  std::uint64_t so_far = 0;
  for (std::size_t i = 0; i < bounds_.size(); ++i) {
    so_far += counts_[i];
    out += fmt::format("{}_bucket{{le=\"{:.6g}\"}} {}\n", name, bounds_[i], so_far);
  }
  so_far += counts_.back();
  out += fmt::format("{0}_bucket{{le=\"+Inf\"}} {1}\n{0}_sum {2}\n{0}_count {1}\n", name, so_far,
                     sum_);
}

Metrics::Metrics()
    : requests_{{"single", 0}, {"batch", 0}},
      successes_{{"single", 0}, {"batch", 0}},
      failures_{{"overloaded", 0}, {"batch_size", 0}, {"validation", 0}, {"tokenization", 0},
                {"inference", 0},  {"model_type", 0}, {"dropped", 0},    {"missing_values", 0}},
      request_(four()),
      embed_(four()),
      predict_(four()),
      input_length_(powers_of_two(14)),
      batch_size_(powers_of_two(13)),
      batch_tokens_(powers_of_two(21)) {}

void Metrics::batch(std::size_t units, std::int64_t tokens) {
  const std::lock_guard lock(mutex_);
  batch_size_.add(static_cast<double>(units));
  batch_tokens_.add(static_cast<double>(tokens));
}

void Metrics::failed(std::string_view reason) {
  const std::lock_guard lock(mutex_);
  ++failures_[std::string(reason)];
}

void Metrics::served(const Served& request) {
  const std::lock_guard lock(mutex_);
  ++responses_[{std::string(request.route), request.status}];
  if (request.inputs == 0) return;
  const auto* const method = request.batch ? "batch" : "single";
  const bool good = request.status == 200;
  ++requests_[method];
  const bool embeds = request.route.find("embed") != std::string_view::npos;
  const bool predicts = request.route == "/predict";
  if (embeds) embed_count_ += request.inputs;
  if (predicts) predict_count_ += request.inputs;
  if (!good) return;
  ++successes_[method];
  truncated_ += request.truncated;
  if (!request.computed) return;
  const auto add = [&](Durations& durations) {
    durations[0].add(request.total);
    durations[1].add(request.tokenization);
    durations[2].add(request.queue);
    durations[3].add(request.inference);
  };
  add(request_);
  if (embeds) {
    embed_success_ += request.inputs;
    add(embed_);
  }
  if (predicts) {
    predict_success_ += request.inputs;
    add(predict_);
  }
  input_length_.add(static_cast<double>(request.tokens) / static_cast<double>(request.inputs),
                    request.inputs);
}

std::string Metrics::text(const Facts& facts) const {
  const std::lock_guard lock(mutex_);
  const auto& scheduler = facts.scheduler;
  std::string out;
  append_labelled(out, "te_request_count", "method", requests_);
  append_labelled(out, "te_request_success", "method", successes_);
  append_labelled(out, "te_request_failure", "err", failures_);
  append_one(out, "te_embed_count", "counter", embed_count_);
  append_one(out, "te_embed_success", "counter", embed_success_);
  append_one(out, "te_predict_count", "counter", predict_count_);
  append_one(out, "te_predict_success", "counter", predict_success_);
  append_durations(out, "te_request", request_);
  append_durations(out, "te_embed", embed_);
  append_durations(out, "te_predict", predict_);
  input_length_.append(out, "te_request_input_length");
  batch_size_.append(out, "te_batch_next_size");
  batch_tokens_.append(out, "te_batch_next_tokens");
  append_one(out, "te_queue_size", "gauge", scheduler.queued_units);

  append_type(out, "cloze_build_info", "gauge");
  for (const auto& [model, dtype] : facts.models) {
    out += fmt::format("cloze_build_info{{version=\"{}\",model=\"{}\",dtype=\"{}\"}} 1\n",
                       cloze::version(), escaped(model), dtype);
  }
  append_one(out, "cloze_ready", "gauge", facts.ready ? 1 : 0);
  append_one(out, "cloze_queue_tokens", "gauge",
             scheduler.queued_tokens + scheduler.waiting_tokens);
  append_one(out, "cloze_queue_limit_tokens", "gauge", scheduler.queue_tokens);
  append_one(out, "cloze_queue_oldest_seconds", "gauge", scheduler.oldest_seconds);
  append_one(out, "cloze_batch_budget_tokens", "gauge", scheduler.batch_tokens);
  append_one(out, "cloze_engine_tokens_per_second", "gauge", scheduler.tokens_per_second);
  append_one(out, "cloze_engine_busy_seconds_total", "counter", scheduler.busy_seconds);
  append_type(out, "cloze_tokens_total", "counter");
  out += fmt::format(
      "cloze_tokens_total{{state=\"computed\"}} {}\ncloze_tokens_total{{state=\"cancelled\"}} {}\n",
      scheduler.computed_tokens, scheduler.cancelled_tokens);
  append_one(out, "cloze_truncated_texts_total", "counter", truncated_);
  append_type(out, "cloze_connections", "gauge");
  out += fmt::format(
      "cloze_connections{{state=\"open\"}} {}\ncloze_connections{{state=\"computing\"}} {}\n",
      facts.connections.open, facts.connections.computing);
  append_one(out, "cloze_connections_accepted_total", "counter", facts.connections.accepted);
  append_one(out, "cloze_connections_refused_total", "counter", facts.connections.refused);
  append_one(out, "cloze_http_request_bytes_total", "counter", facts.connections.request_bytes);
  append_type(out, "cloze_http_responses_total", "counter");
  for (const auto& [key, count] : responses_) {
    out += fmt::format("cloze_http_responses_total{{route=\"{}\",code=\"{}\"}} {}\n",
                       escaped(key.first), key.second, count);
  }
  append_one(out, "process_resident_memory_bytes", "gauge", resident_bytes());
  append_one(out, "process_cpu_seconds_total", "counter", cpu_seconds());
  append_one(out, "process_start_time_seconds", "gauge", kStarted);
  return out;
}

}  // namespace cloze::serve
