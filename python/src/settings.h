/// \file
/// Keyword arguments of Python as the members of a settings struct.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "cloze/finetune.h"
#include "cloze/pretrain.h"
#include "python/src/bind.h"
#include "python/src/texts.h"

namespace cloze::python {

/// Takes arguments out of a dict, one after another; what is left in the end is not known.
class Keywords {
 public:
  Keywords(nb::dict values, std::string function)
      : values_(std::move(values)), function_(std::move(function)) {}

  /// The argument as it is; invalid where it was not given, or is None.
  nb::object take(const char* name) {
    if (!values_.contains(name)) return {};
    nb::object value = values_[name];
    nb::del(values_[name]);
    return value.is_none() ? nb::object() : value;
  }

  /// Sets `member` where the argument was given. Throws TypeError for a value of another type.
  template <class Member>
  void read(const char* name, Member& member) {
    const auto value = take(name);
    if (!value.is_valid()) return;
    try {
      if constexpr (std::is_same_v<Member, double> ||
                    std::is_same_v<Member, std::optional<double>>) {
        member = PyFloat_AsDouble(value.ptr());
        if (PyErr_Occurred() != nullptr) throw nb::python_error();
      } else {
        member = nb::cast<Member>(value);
      }
    } catch (const nb::cast_error&) {
      wrong_type(name, value);
    } catch (nb::python_error&) {
      PyErr_Clear();
      wrong_type(name, value);
    }
  }

  /// The same by a function of the value's text.
  template <class Member, class Parse>
  void read_name(const char* name, Member& member, Parse&& parse) {
    const auto value = take(name);
    if (value.is_valid()) member = parse(std::string_view(nb::cast<std::string>(nb::str(value))));
  }

  /// Throws TypeError for an argument that nobody took.
  void finish() const;

 private:
  [[noreturn]] void wrong_type(const char* name, nb::handle value) const;

  nb::dict values_;
  std::string function_;
};

void read_task_options(Keywords& keywords, TaskOptions& options);
void read_finetune_settings(Keywords& keywords, FinetuneSettings& settings);
void read_pretrain_settings(Keywords& keywords, PretrainSettings& settings);

}  // namespace cloze::python
