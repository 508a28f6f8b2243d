// A model as a smaller file would have it.
#pragma once

#include <string>

#include "dualgpuopt/memory/models/model_source.h"

namespace dualgpuopt::memory {

/// The model as if its matrices were in the formats of that file type, each as llama.cpp's quantisation gives it. An
/// estimate: vectors stay as they are, and files made with an importance matrix differ. Error: InvalidArgument for a
/// file type that is not known.
[[nodiscard]] Result<Model> requantised(Model model, const std::string& file_type);

}  // namespace dualgpuopt::memory
