// Recorded series: reading them from CSV and JSON Lines, and replaying them as a source.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "dualgpuopt/memory/sources/memory_source.h"

namespace dualgpuopt::memory {

/// A recording: its devices and its readings in time order, times counted from the first row.
struct Trace {
  std::vector<Device> devices;        ///< Ascending by index.
  std::vector<Reading> readings;      ///< Not descending in time; provenance Replayed.
  std::vector<std::string> warnings;  ///< What was tolerated: a last line cut off by a crash, used above total.

  /// Every distinct time, ascending.
  [[nodiscard]] std::vector<MonoTime> times() const;
  /// Median time between readings of one device; zero with fewer than two.
  [[nodiscard]] Duration median_interval() const;
};

/// Reads a recording; the form is found by its first line:
/// - CSV `t_s,gpu,used_bytes,total_bytes` (total may be empty);
/// - CSV as `nvidia-smi --query-gpu=timestamp,index,memory.used,memory.total --format=csv` writes it, with or without
///   header and units, columns in any order when there is a header, index missing for a single GPU, `[N/A]` and the
///   like as unavailable readings;
/// - JSON Lines as `gpumem record` writes them.
/// Errors (ParseFailed) name the line and what was expected: a malformed row, NaN, total 0, time going backwards on
/// one GPU, no rows at all. used above total is kept, with free 0 and a warning. A last line without line feed that
/// does not parse is what a crash leaves: dropped, with a warning.
[[nodiscard]] Result<Trace> parse_trace(std::string_view text);
/// parse_trace of a file; errors carry its name.
[[nodiscard]] Result<Trace> load_trace(const std::filesystem::path& file);

/// Replays a trace by the clock it is given: read() answers the newest reading that is not in the clock's future,
/// stamped with its recorded time, and an unavailable one before the device's first row.
class TraceSource final : public MemorySource {
 public:
  TraceSource(Trace trace, const Clock& clock);

  [[nodiscard]] std::string_view name() const override { return "trace"; }
  [[nodiscard]] Provenance provenance() const override { return Provenance::Replayed; }
  [[nodiscard]] Result<std::vector<Device>> enumerate() override { return trace_.devices; }
  /// Constant time while the clock only moves forward.
  [[nodiscard]] Reading read(int gpu, ReadDetail detail) override;
  [[nodiscard]] const Trace& trace() const { return trace_; }

 private:
  struct Track {
    int gpu = 0;
    std::vector<std::size_t> rows;  // into trace_.readings
    std::size_t next = 0;           // first row that is still in the future
  };

  Trace trace_;
  const Clock& clock_;
  std::vector<Track> tracks_;
};

}  // namespace dualgpuopt::memory
