/// \file
/// The exceptions that Cloze throws. Every one of them is a `cloze::Error`.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#pragma GCC visibility push(default)
namespace cloze {

/// Base of everything that Cloze throws on bad input. `what()` is one sentence for a person: what
/// was found, where (file, byte or line), and what to do about it.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A file or directory that cannot be opened, read, mapped or written.
class IoError : public Error {
 public:
  using Error::Error;
};

/// Content that is not what its format promises: truncated, inconsistent or lying files, bad JSON.
class FormatError : public Error {
 public:
  using Error::Error;
};

/// Parts that are each well formed but do not fit together: a configuration that disagrees with the
/// tensors, a checkpoint without the head that a task needs, a vocabulary larger than the
/// embedding.
class ModelError : public Error {
 public:
  using Error::Error;
};

/// A model that another pipeline answers with than the one that was asked to.
class WrongPipeline : public ModelError {
 public:
  WrongPipeline(const std::string& message, std::string pipeline)
      : ModelError(message), pipeline_(std::move(pipeline)) {}
  /// The pipeline for the model, as transformers names it: "text-classification".
  [[nodiscard]] const std::string& pipeline() const { return pipeline_; }

 private:
  std::string pipeline_;
};

/// An argument that makes no sense to the function it was given to: an index out of range, a text
/// longer than the model reads, an unknown option's value.
class ArgumentError : public Error {
 public:
  using Error::Error;
};

/// The caller's progress callback asked for an end (progress.h). What the call had begun is undone
/// or left as its documentation says.
class Cancelled : public Error {
 public:
  using Error::Error;
};

}  // namespace cloze

#pragma GCC visibility pop
