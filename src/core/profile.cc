#include "cloze/profile.h"

#include <algorithm>

namespace cloze {

void accumulate(Profile& profile, const OperationCost& cost) {
  const auto same = [&](const OperationCost& entry) { return entry.name == cost.name; };
  const auto found = std::find_if(profile.begin(), profile.end(), same);
  if (found == profile.end()) {
    profile.push_back(cost);
    return;
  }
  found->calls += cost.calls;
  found->seconds += cost.seconds;
  found->operations += cost.operations;
  found->bytes += cost.bytes;
}

}  // namespace cloze
