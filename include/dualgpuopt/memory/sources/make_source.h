// From the text after --source to a source.
#pragma once

#include <memory>
#include <string_view>

#include "dualgpuopt/memory/sources/memory_source.h"

namespace dualgpuopt::memory {

/// Opens `auto`, `nvml`, `sim:NAME-OR-FILE` or `trace:FILE`. `auto` tries real drivers only; when none answers, the
/// error (Unavailable) lists what was tried and why each failed. An unknown name is InvalidArgument. `clock` must
/// outlive the source.
[[nodiscard]] Result<std::unique_ptr<MemorySource>> make_source(std::string_view spec, const Clock& clock,
                                                                const SourceSettings& settings = {});

}  // namespace dualgpuopt::memory
