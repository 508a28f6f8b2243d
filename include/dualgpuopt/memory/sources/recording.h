// Writing recordings that `replay` reads back.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dualgpuopt/memory/metrics/device.h"
#include "dualgpuopt/memory/metrics/reading.h"

namespace dualgpuopt::memory {

/// JsonLines keeps everything: devices, processes, reserved memory, unavailable readings. Csv is
/// `t_s,gpu,used_bytes,total_bytes`; `used_bytes` is the occupied memory, and unavailable readings leave a gap.
enum class RecordingForm { JsonLines, Csv };

/// Turns readings into the lines of a recording, which parse_trace reads back. Times count from the first line written,
/// to the millisecond; a reading from before it counts as made with it. Writes no file itself.
class RecordingFormatter {
 public:
  explicit RecordingFormatter(RecordingForm form) : form_(form) {}

  /// What stands before the first reading: the CSV header, or one line a device. With line feeds.
  [[nodiscard]] std::string header(const std::vector<Device>& devices) const;
  /// The reading's line with its line feed; empty for an unavailable reading in CSV.
  [[nodiscard]] std::string line(const Reading& reading);

 private:
  RecordingForm form_;
  std::optional<MonoTime> origin_;
};

}  // namespace dualgpuopt::memory
