#include <algorithm>

#include <fmt/format.h>

#include "core/clock.h"
#include "ops/context.h"
#include "ops/cpu/state.h"

namespace cloze::ops {
namespace {

std::string_view suffix_of(Epilogue epilogue) {
  switch (epilogue) {
    case Epilogue::none:
      return "";
    case Epilogue::add:
      return ", added";
    case Epilogue::gelu:
      return ", gelu";
    case Epilogue::gelu_tanh:
      return ", gelu_tanh";
    case Epilogue::relu:
      return ", relu";
    case Epilogue::silu:
      return ", silu";
    case Epilogue::tanh:
      return ", tanh";
  }
  return "";
}

std::string name_of(const OperationKey& key) {
  switch (key.kind) {
    case OperationKey::Kind::linear:
      return fmt::format("linear {} -> {}{}", key.k, key.n, suffix_of(key.epilogue));
    case OperationKey::Kind::multiply:
      return fmt::format("product {} -> {}", key.k, key.n);
    case OperationKey::Kind::weight_gradient:
      return fmt::format("weight gradient {} x {}", key.k, key.n);
    case OperationKey::Kind::attention_backward:
      return fmt::format("attention {} x {}, backward", key.k, key.n);
    case OperationKey::Kind::activation:
      return "activation";
    case OperationKey::Kind::loss:
      return "cross entropy";
    case OperationKey::Kind::attention:
      return fmt::format("attention {} x {}", key.k, key.n);
    case OperationKey::Kind::layer_norm:
      return "layer norm";
    case OperationKey::Kind::embed:
      return "embeddings";
    case OperationKey::Kind::copy:
      return "gather, convert";
  }
  return "";
}

}  // namespace

Timed::Timed(Context& context, const OperationKey& key, double operations, double bytes) {
  if (!state_of(context).profiling) return;
  worker_ = &worker_of(context);
  record_.key = key;
  record_.cost.calls = 1;
  record_.cost.operations = operations;
  record_.cost.bytes = bytes;
  start_ = Clock::now();
}

Timed::~Timed() {
  if (worker_ == nullptr) return;
  auto& records = worker_->records;
  const auto found = std::find_if(records.begin(), records.end(),
                                  [&](const auto& record) { return record.key == record_.key; });
  auto& cost =
      (found == records.end() ? records.emplace_back(OperationRecord{record_.key, {}}) : *found)
          .cost;
  cost.calls += 1;
  cost.seconds += seconds_since(start_);
  cost.operations += record_.cost.operations;
  cost.bytes += record_.cost.bytes;
}

void CpuState::start_profile() {
  for (const auto& worker : workers_) worker->records.clear();
  profiling = true;
}

Profile CpuState::take_profile() {
  Profile profile;
  for (const auto& worker : workers_) {
    for (auto& record : worker->records) {
      record.cost.name = name_of(record.key);
      accumulate(profile, record.cost);
    }
    worker->records.clear();
  }
  profiling = false;
  return profile;
}

}  // namespace cloze::ops
