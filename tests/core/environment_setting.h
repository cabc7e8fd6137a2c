/// \file
/// A variable of the environment for the time of a test.
#pragma once

#include <cstdlib>
#include <optional>
#include <string>

namespace cloze::testing {

/// Sets a variable, or (null) takes it away, until it goes out of scope. Of one thread.
class EnvironmentSetting {
 public:
  EnvironmentSetting(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;  // NOLINT(concurrency-mt-unsafe)
    set(value);
  }
  EnvironmentSetting(const EnvironmentSetting&) = delete;
  EnvironmentSetting(EnvironmentSetting&&) = delete;
  EnvironmentSetting& operator=(const EnvironmentSetting&) = delete;
  EnvironmentSetting& operator=(EnvironmentSetting&&) = delete;
  ~EnvironmentSetting() { set(old_ ? old_->c_str() : nullptr); }

 private:
  void set(const char* value) const {
    if (value != nullptr) {
      ::setenv(name_, value, 1);  // NOLINT(concurrency-mt-unsafe)
    } else {
      ::unsetenv(name_);  // NOLINT(concurrency-mt-unsafe)
    }
  }

  const char* name_;
  std::optional<std::string> old_;
};

}  // namespace cloze::testing
