#include "python/src/texts.h"

#include <cmath>

#include <nanobind/stl/string.h>

namespace cloze::python {

std::string kind_of(nb::handle object) {
  if (object.is_none()) return "None";
  auto kind = nb::cast<std::string>(nb::handle(object.type()).attr("__name__"));
  if (PyFloat_Check(object.ptr()) && std::isnan(PyFloat_AsDouble(object.ptr()))) kind += " (nan)";
  return kind;
}

std::string_view text_of(nb::handle object, const std::string& name, nb::list& keep) {
  nb::object held = nb::borrow(object);
  if (PyBytes_Check(object.ptr())) {
    held = nb::steal(PyUnicode_FromEncodedObject(object.ptr(), "utf-8", "strict"));
    if (!held.is_valid()) {
      PyErr_Clear();
      throw nb::value_error((name + " is bytes that are not UTF-8: decode them first").c_str());
    }
  } else if (!PyUnicode_Check(object.ptr())) {
    throw nb::type_error((name + " is " + kind_of(object) + ", not str").c_str());
  }
  Py_ssize_t size = 0;
  const char* bytes = PyUnicode_AsUTF8AndSize(held.ptr(), &size);
  if (bytes == nullptr) {
    PyErr_Clear();
    throw nb::value_error(
        (name + " holds a lone surrogate, which no text has: it was decoded wrongly").c_str());
  }
  keep.append(held);
  return {bytes, static_cast<std::size_t>(size)};
}

TextList::TextList(nb::handle texts, std::string_view name) {
  if (!PyList_Check(texts.ptr()) && !PyTuple_Check(texts.ptr())) {
    throw nb::type_error(
        (std::string(name) + " is " + kind_of(texts) + ", not a list of str").c_str());
  }
  const nb::object snapshot = nb::steal(PySequence_Tuple(texts.ptr()));
  if (!snapshot.is_valid()) throw nb::python_error();
  const Py_ssize_t count = PyTuple_Size(snapshot.ptr());
  views_.reserve(static_cast<std::size_t>(count));
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* item = PyTuple_GetItem(snapshot.ptr(), i);
    Py_ssize_t size = 0;
    // The usual case, without a name for messages that nobody reads.
    const char* bytes = PyUnicode_Check(item) ? PyUnicode_AsUTF8AndSize(item, &size) : nullptr;
    if (bytes != nullptr) {
      views_.emplace_back(bytes, static_cast<std::size_t>(size));
      continue;
    }
    PyErr_Clear();
    views_.push_back(text_of(item, std::string(name) + "[" + std::to_string(i) + "]", keep_));
  }
  keep_.append(snapshot);
}

TextsOrPairs::TextsOrPairs(nb::handle texts, nb::handle pairs)
    : texts_(texts, "texts"), paired_(!pairs.is_none()) {
  if (!paired_) return;
  seconds_ = TextList(pairs, "pairs");
  if (seconds_.size() != texts_.size()) {
    throw nb::value_error(("there are " + std::to_string(texts_.size()) + " texts and " +
                           std::to_string(seconds_.size()) + " pairs: a text needs one each")
                              .c_str());
  }
  pairs_.reserve(texts_.size());
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    pairs_.push_back({texts_.views()[i], seconds_.views()[i]});
  }
}

Texts TextsOrPairs::view() const { return paired_ ? Texts(pairs_) : Texts(texts_.views()); }

TextName python_name() {
  return [](std::size_t index) { return "texts[" + std::to_string(index) + "]"; };
}

}  // namespace cloze::python
