/// \file
/// The parts of the extension module: a function for each file, which adds what the file binds.
#pragma once

#include <nanobind/nanobind.h>

namespace nb = nanobind;  // NOLINT(misc-unused-alias-decls): the name that all of its users have

namespace cloze::python {

void bind_errors(nb::module_& module);
void bind_tokenizer(nb::module_& module);
void bind_models(nb::module_& module);
void bind_sentence(nb::module_& module);
void bind_search(nb::module_& module);
void bind_pipelines(nb::module_& module);
void bind_files(nb::module_& module);
void bind_examples(nb::module_& module);
void bind_training(nb::module_& module);
void bind_inspection(nb::module_& module);

}  // namespace cloze::python
