#include <nanobind/nanobind.h>

#include "cloze/error.h"
#include "cloze/pipeline.h"
#include "python/src/bind.h"

namespace cloze::python {
namespace {

/// A class of exceptions that belongs to two hierarchies: `except OSError` finds an IoError.
template <class Exception, class... Bases>
nb::object bind_error(nb::module_& module, const char* name, const char* doc,
                      const Bases&... bases) {
  nb::object error = nb::exception<Exception>(module, name, nb::make_tuple(bases...));
  error.attr("__module__") = "cloze";
  error.attr("__doc__") = doc;
  return error;
}

}  // namespace

void bind_errors(nb::module_& module) {
  const auto python = [](PyObject* type) { return nb::borrow(type); };
  const auto error = bind_error<Error>(module, "Error", "Base of all exceptions of Cloze.",
                                       python(PyExc_Exception));
  bind_error<IoError>(module, "IoError", "A file that cannot be read or written.", error,
                      python(PyExc_OSError));
  bind_error<FormatError>(module, "FormatError", "Content that is not what its format promises.",
                          error, python(PyExc_ValueError));
  const auto model =
      bind_error<ModelError>(module, "ModelError", "Parts of a model that do not fit together.",
                             error, python(PyExc_ValueError));
  bind_error<WrongPipeline>(module, "WrongPipeline", "A model that another pipeline answers with.",
                            model);
  const auto argument = bind_error<ArgumentError>(
      module, "ArgumentError", "An argument that makes no sense.", error, python(PyExc_ValueError));
  bind_error<TextTooLong>(module, "TextTooLong", "A text that is longer than the call's limit.",
                          argument);
  bind_error<Cancelled>(module, "Cancelled", "A callback asked for the end of the call.", error);
}

}  // namespace cloze::python
