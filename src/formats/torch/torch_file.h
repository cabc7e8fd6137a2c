/// \file
/// What `torch.save` writes: `pytorch_model.bin`. A zip archive of a pickle and the tensors' bytes
/// (since PyTorch 1.6), or the older form, pickles and bytes one after another.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "formats/stored_tensor.h"

namespace cloze {

/// The tensors of a file by name. Nothing of the file is run: a pickle that asks for anything but
/// tensors, numbers, strings and plain containers is refused. A dictionary that has no tensors
/// itself but a "state_dict" (or "model_state_dict", "model") is taken for that. The bytes stay in
/// the file; in the zip form their checksums are verified when they are first read, the older form
/// has none. Throws FormatError naming the file and, where there is one, the tensor.
[[nodiscard]] std::map<std::string, StoredTensor, std::less<>> read_torch_file(
    const std::shared_ptr<const MappedFile>& file, const std::string& origin,
    const std::string& file_name);

/// Whether these are the first bytes of such a file.
[[nodiscard]] bool is_torch_file(std::string_view bytes);

}  // namespace cloze
