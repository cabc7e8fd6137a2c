#include "serve/request_error.h"

#include "serve/json/writer.h"

namespace cloze::serve {
namespace {

std::string_view openai_type(int status) {
  if (status == 401) return "authentication_error";
  if (status == 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

std::string_view openai_code(const RequestError& error, int status) {
  if (!error.code.empty()) return error.code;
  if (status == 401) return "invalid_api_key";
  if (status == 413) return "body_too_large";
  return status == 429 ? "rate_limit_exceeded" : "";
}

void append_or_null(std::string& out, std::string_view text) {
  if (text.empty()) {
    out += "null";
  } else {
    append_json(out, text);
  }
}

}  // namespace

int status_for(const RequestError& error, ErrorStyle style) {
  if (style == ErrorStyle::openai && (error.status() == 422 || error.status() == 424)) return 400;
  return error.status();
}

std::string body_for(const RequestError& error, ErrorStyle style) {
  const std::string_view message = error.what();
  std::string out;
  if (style == ErrorStyle::native) {
    out += "{\"error\":";
    append_json(out, message);
    out += ",\"error_type\":";
    append_json(out, error.type());
    return out + '}';
  }
  const auto status = status_for(error, style);
  out += "{\"error\":{\"message\":";
  append_json(out, message);
  out += ",\"type\":";
  append_json(out, openai_type(status));
  out += ",\"param\":";
  append_or_null(out, error.parameter());
  out += ",\"code\":";
  append_or_null(out, openai_code(error, status));
  out += "},\"message\":";
  append_json(out, message);
  out += ",\"detail\":";
  append_json(out, message);
  return out + '}';
}

}  // namespace cloze::serve
