/// \file
/// Vectors as a map: principal components, a page with the scatter, and the files that
/// TensorBoard's projector reads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/tensor.h"

#pragma GCC visibility push(default)
namespace cloze {

/// Principal component analysis of rows, centred, not scaled (sklearn.decomposition.PCA).
struct PrincipalComponents {
  Tensor coordinates;  ///< f32 [rows, components]; of each component the largest is positive
  std::vector<double> explained;  ///< share of the variance, [components], falling
};

/// The first `count` components of `vectors` [rows, columns] (fewer where rows - 1 or columns are).
/// Throws ArgumentError for fewer than two rows and for values that are not finite.
[[nodiscard]] PrincipalComponents principal_components(const Tensor& vectors, std::int64_t count);

/// What a point of the map is.
struct MapPoint {
  std::string text;
  std::string label;  ///< empty: none
};

/// One HTML file: an interactive scatter of the components, with search, and a colour a label.
/// `title` names what is shown.
[[nodiscard]] std::string map_page(const PrincipalComponents& components,
                                   std::span<const MapPoint> points, std::string_view title);

/// Writes `tensors.tsv`, `metadata.tsv` and `projector_config.pbtxt` into `directory` (made if it
/// is not there): what `tensorboard --logdir` shows under "Projector". Throws IoError.
void write_projector(const std::filesystem::path& directory, const Tensor& vectors,
                     std::span<const MapPoint> points);

}  // namespace cloze

#pragma GCC visibility pop
