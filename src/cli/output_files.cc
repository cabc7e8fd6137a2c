#include "cli/output_files.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/format.h"
#include "cloze/checkpoint.h"
#include "cloze/output.h"

namespace cloze::cli {
namespace {

bool is_standard_output(const std::filesystem::path& file) {
  struct stat named {
  }, open{};
  return ::stat(file.c_str(), &named) == 0 && ::fstat(STDOUT_FILENO, &open) == 0 &&
         named.st_dev == open.st_dev && named.st_ino == open.st_ino;
}

}  // namespace

void require_output_apart(const std::filesystem::path& output,
                          const std::vector<std::filesystem::path>& inputs,
                          const ModelOptions* model) {
  if (output.empty()) return;
  as_usage([&] {
    require_no_input(output, inputs);
    // Only where there is something that could be lost: the model may have to be fetched for this.
    std::error_code ignored;
    if (model != nullptr && std::filesystem::exists(output, ignored)) {
      require_no_input(output, model_files(model->root()));
    }
  });
}

void print_about(const std::filesystem::path& file, std::string_view text) {
  if (!is_standard_output(file)) return print(text);
  fmt::print(stderr, "{}", text);
}

}  // namespace cloze::cli
