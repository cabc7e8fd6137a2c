/// \file
/// A request that is not answered as it wished: the status, and what its client is told.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "cloze/error.h"

namespace cloze::serve {

/// What is thrown while a request is read and answered. `what()` is the sentence for its client:
/// what was found, where, what to do.
class RequestError : public Error {
 public:
  /// `type`: text-embeddings-inference's `error_type`. `parameter`: the field of the request that is
  /// to blame; empty for none.
  RequestError(int status, std::string type, const std::string& message, std::string parameter = {})
      : Error(message), status_(status), type_(std::move(type)), parameter_(std::move(parameter)) {}

  [[nodiscard]] int status() const { return status_; }
  [[nodiscard]] const std::string& type() const { return type_; }
  [[nodiscard]] const std::string& parameter() const { return parameter_; }

  /// The same with OpenAI's `code`, or with what a 405 allows.
  [[nodiscard]] RequestError with_code(const std::string& named) const {
    auto error = *this;
    error.code = named;
    return error;
  }
  [[nodiscard]] RequestError with_allow(std::string_view methods) const {
    auto error = *this;
    error.allow = methods;
    return error;
  }

  std::string code{};            ///< OpenAI's `code`: "model_not_found"; empty for none
  std::int64_t retry_after = 0;  ///< seconds; 0: not stated
  std::string allow{};           ///< of a 405
  bool close = false;            ///< what follows on the connection is not read

 private:
  int status_;
  std::string type_, parameter_;
};

/// A value that cannot be: 422, of OpenAI's and Cohere's routes 400.
[[nodiscard]] inline RequestError invalid(const std::string& message, std::string parameter = {}) {
  return {422, "Validation", message, std::move(parameter)};
}
/// Nothing to work on: 400.
[[nodiscard]] inline RequestError empty(const std::string& message, std::string parameter = {}) {
  return {400, "Empty", message, std::move(parameter)};
}
/// The model does not have what was asked for: 424, of OpenAI's and Cohere's routes 400.
[[nodiscard]] inline RequestError not_this_model(const std::string& message) {
  return {424, "Backend", message, "model"};
}

/// How a family of routes writes its errors.
enum class ErrorStyle : std::uint8_t {
  native,  ///< {"error":"...","error_type":"..."}: text-embeddings-inference, Hugging Face
  /// {"error":{"message","type","param","code"},"message","detail"}: OpenAI, and what Cohere's and
  /// Jina's clients read
  openai,
};

/// The status that a family of routes has for the error.
[[nodiscard]] int status_for(const RequestError& error, ErrorStyle style);
/// The body, JSON.
[[nodiscard]] std::string body_for(const RequestError& error, ErrorStyle style);

}  // namespace cloze::serve
