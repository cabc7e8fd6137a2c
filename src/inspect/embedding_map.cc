#include "cloze/embedding_map.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <map>

#include <Eigen/Dense>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "cloze/output.h"
#include "core/io/files.h"
#include "core/io/whole_directory.h"
#include "inspect/page_files.h"
#include "inspect/page_template.h"

namespace cloze {
namespace {

using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Tabs and line ends are what a metadata file is made of.
std::string on_one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
  return text.empty() ? " " : text;
}

}  // namespace

PrincipalComponents principal_components(const Tensor& vectors, std::int64_t count) {
  const std::int64_t rows = vectors.dim(0), columns = vectors.dim(1);
  if (rows < 2) throw ArgumentError("a map needs at least two texts");
  const auto values = vectors.values<float>();
  if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) {
    throw ArgumentError("a vector has values that are not finite numbers: there is no map of them");
  }
  count = std::min({count, rows - 1, columns});
  Rows centred = Eigen::Map<const Rows>(values.data(), rows, columns);
  const Eigen::RowVectorXf mean = centred.colwise().mean();
  centred.rowwise() -= mean;
  // The smaller of the two products has the same non-zero eigenvalues.
  const bool by_rows = rows < columns;
  const Eigen::MatrixXd gram =
      by_rows ? Eigen::MatrixXd((centred * centred.transpose()).cast<double>())
              : Eigen::MatrixXd((centred.transpose() * centred).cast<double>());
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(gram);
  const double total = std::max(gram.trace(), 1e-300);
  PrincipalComponents result{.coordinates = Tensor::zeros(DType::f32, {rows, count}),
                             .explained = {}};
  Eigen::Map<Rows> coordinates(result.coordinates.mutable_values<float>().data(), rows, count);
  for (std::int64_t c = 0; c < count; ++c) {
    const auto at = gram.rows() - 1 - c;  // eigenvalues come rising
    const double value = std::max(0.0, solver.eigenvalues()(at));
    const Eigen::VectorXf direction = solver.eigenvectors().col(at).cast<float>();
    Eigen::VectorXf along = by_rows
                                ? Eigen::VectorXf(direction * static_cast<float>(std::sqrt(value)))
                                : Eigen::VectorXf(centred * direction);
    Eigen::Index largest = 0;
    along.cwiseAbs().maxCoeff(&largest);
    if (along(largest) < 0) along = -along;
    coordinates.col(c) = along;
    result.explained.push_back(value / total);
  }
  return result;
}

std::string map_page(const PrincipalComponents& components, std::span<const MapPoint> points,
                     std::string_view title) {
  const auto rows = components.coordinates.dim(0), count = components.coordinates.dim(1);
  if (rows != static_cast<std::int64_t>(points.size())) {
    throw ArgumentError(fmt::format("{} points for {} vectors", points.size(), rows));
  }
  using nlohmann::json;
  std::map<std::string, std::size_t> known;
  json labels = json::array(), texts = json::array(), of = json::array(), places = json::array();
  for (const auto& point : points) {
    const auto [found, added] = known.emplace(point.label, known.size());
    if (added) labels.push_back(point.label);
    of.push_back(found->second);
    texts.push_back(point.text);
  }
  for (std::int64_t c = 0; c < count; ++c) {
    auto column = json::array();
    for (std::int64_t row = 0; row < rows; ++row) {
      const float value =
          components.coordinates.values<float>()[static_cast<std::size_t>(row * count + c)];
      column.push_back(std::round(static_cast<double>(value) * 1e5) / 1e5);
    }
    places.push_back(std::move(column));
  }
  json explained = json::array();
  for (const double share : components.explained)
    explained.push_back(std::round(share * 1e5) / 1e5);
  const json data = {{"title", title}, {"texts", texts},       {"labels", labels},
                     {"label_of", of}, {"components", places}, {"explained", explained}};
  const auto text = page::escape_script(data.dump(-1, ' ', false, json::error_handler_t::replace));
  const auto name = page::escape_html(fmt::format("{} · cloze embed-map", title));
  const std::array<std::pair<std::string_view, std::string_view>, 6> parts{{
      {"title", name},
      {"data", text},
      {"base.css", page::base_css},
      {"map.css", page::map_css},
      {"base.js", page::base_js},
      {"map.js", page::map_js},
  }};
  return page::fill(page::map_html, parts);
}

void write_projector(const std::filesystem::path& directory, const Tensor& vectors,
                     std::span<const MapPoint> points) {
  WholeDirectory whole(directory);
  whole.fill([&](const std::filesystem::path& made) {
    const auto columns = static_cast<std::size_t>(vectors.dim(1));
    const auto values = vectors.values<float>();
    auto out = Output::file(made / "tensors.tsv");
    std::string line;
    for (std::size_t row = 0; row < points.size(); ++row) {
      line.clear();
      for (std::size_t c = 0; c < columns; ++c) {
        fmt::format_to(std::back_inserter(line), "{}{:.7g}", c == 0 ? "" : "\t",
                       values[row * columns + c]);
      }
      line += '\n';
      out.write(line);
    }
    out.finish();
    // A file of one column has no header line, one of several must.
    const bool labelled = std::any_of(points.begin(), points.end(),
                                      [](const MapPoint& point) { return !point.label.empty(); });
    std::string metadata = labelled ? "text\tlabel\n" : "";
    for (const auto& point : points) {
      metadata += on_one_line(point.text);
      if (labelled) metadata += '\t' + on_one_line(point.label);
      metadata += '\n';
    }
    files::write_text(made / "metadata.tsv", metadata);
    files::write_text(made / "projector_config.pbtxt",
                      "embeddings {\n  tensor_name: \"cloze\"\n  tensor_path: \"tensors.tsv\"\n"
                      "  metadata_path: \"metadata.tsv\"\n}\n");
  });
  whole.commit({"projector_config.pbtxt"});
}

}  // namespace cloze
