// The recorded series that forecasts are measured on.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "dualgpuopt/memory/core/error.h"

namespace dualgpuopt::memory::forecast_benchmark {

struct Sample {
  double time = 0;  ///< Seconds, as recorded.
  double used = 0;  ///< Bytes.
};

/// One GPU of one recording.
struct Series {
  std::string file;        ///< Name without folder.
  std::string repository;  ///< Where the recording is from, by the folder's INDEX.csv; the file's name if not there.
  std::string shape;       ///< By the same; "unknown" if not there.
  int gpu = 0;
  std::vector<Sample> samples;
  std::optional<double> capacity = {};  ///< Bytes; empty for recordings, which are judged at virtual ones.

  /// Seconds between two samples, the lower median; 0 with fewer than two.
  [[nodiscard]] double median_interval() const;
};

/// Every series of at least 30 samples in the folder's `[0-9]*.csv` whose recording's first GPU was read at least every
/// `longest_interval` seconds (the median). Ordered by file name and GPU. Errors: those of load_trace, and NotFound if
/// there is none.
[[nodiscard]] Result<std::vector<Series>> load_folder(const std::filesystem::path& folder, double longest_interval);

}  // namespace dualgpuopt::memory::forecast_benchmark
