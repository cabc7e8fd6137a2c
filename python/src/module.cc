/// \file
/// The extension module `cloze._cloze`: the library as the Python package `cloze` uses it.
#include "python/src/bind.h"

NB_MODULE(_cloze, module) {
#ifdef NDEBUG
  nb::set_leak_warnings(false);
#endif
  module.doc() = "Cloze's library for the package cloze, which is what programs use.";
  cloze::python::bind_errors(module);
  cloze::python::bind_tokenizer(module);
  cloze::python::bind_models(module);
  cloze::python::bind_sentence(module);
  cloze::python::bind_search(module);
  cloze::python::bind_pipelines(module);
  cloze::python::bind_files(module);
  cloze::python::bind_examples(module);
  cloze::python::bind_training(module);
  cloze::python::bind_inspection(module);
}
