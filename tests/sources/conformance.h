// What every MemorySource must do, whatever is behind it. conformance.cpp holds the tests; conformance_sources.cpp and
// nvml_conformance.cpp say which sources they run on.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "dualgpuopt/memory/sources/memory_source.h"

namespace dualgpuopt::memory {

/// A source to be examined. `open` makes a fresh one on a clock at its origin, with at least one device and the same
/// devices for the whole test; what lies behind it may be captured and must outlive the source.
struct SourceCase {
  std::string name;  ///< As in --source.
  Provenance provenance = Provenance::Driver;
  std::function<std::unique_ptr<MemorySource>(const Clock&)> open;

  friend std::ostream& operator<<(std::ostream& out, const SourceCase& source) { return out << source.name; }
};

class MemorySourceConformance : public ::testing::TestWithParam<SourceCase> {
 protected:
  void SetUp() override;

  [[nodiscard]] std::vector<Device> devices() const;
  /// Every reading of every device, at moments from the origin to a month later.
  void for_each_reading(ReadDetail detail, const std::function<void(const Reading&)>& check);

  VirtualClock clock_;
  std::unique_ptr<MemorySource> source_;
};

}  // namespace dualgpuopt::memory
