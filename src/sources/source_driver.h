// The drivers that can be asked for a source by name; private to the library.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "dualgpuopt/memory/sources/memory_source.h"

namespace dualgpuopt::memory {

/// A real driver: the word that names it after --source, and how to open it.
struct SourceDriver {
  std::string_view name;
  std::function<Result<std::unique_ptr<MemorySource>>(const Clock&, const SourceSettings&)> open;
};

/// All that there are, in the order in which `auto` tries them. A new driver is one line there.
[[nodiscard]] std::vector<SourceDriver> source_drivers();

/// The first of `drivers` that opens and has at least one device; else Unavailable with one clause for each of them:
/// what was tried and why it failed.
[[nodiscard]] Result<std::unique_ptr<MemorySource>> open_first(const std::vector<SourceDriver>& drivers,
                                                               const Clock& clock, const SourceSettings& settings);

/// make_source() with these drivers instead of source_drivers().
[[nodiscard]] Result<std::unique_ptr<MemorySource>> make_source(std::string_view spec, const Clock& clock,
                                                                const SourceSettings& settings,
                                                                const std::vector<SourceDriver>& drivers);

}  // namespace dualgpuopt::memory
