// Recorded series: reading them from CSV and JSON Lines, and replaying them as a source.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dualgpuopt/memory/sources/memory_source.h"

namespace dualgpuopt::memory {

/// A recording: its devices and its readings in time order. Times are the recording's own seconds; where it has stamps
/// of the world's time instead, they count from its first row. Rows of one time keep
/// the order of the file, also several of one GPU: logs with stamps to the second have them, and they are not spread.
struct Trace {
  std::vector<Device> devices;        ///< Ascending by index.
  std::vector<Reading> readings;      ///< Not descending in time; provenance Replayed.
  std::vector<std::string> warnings;  ///< What was tolerated: a last line cut off by a crash, used above total.

  /// Every distinct time, ascending.
  [[nodiscard]] std::vector<MonoTime> times() const;
  /// Median time between two readings of one device, rows of one time counted as one; zero with fewer than two.
  [[nodiscard]] Duration median_interval() const;
  /// Moves all times so that the first row's is zero.
  void count_from_first_row();
};

/// Reads a recording; the form is found by its first line:
/// - CSV `t_s,gpu,used_bytes,total_bytes` (total may be empty);
/// - CSV as `nvidia-smi --query-gpu=timestamp,index,memory.used,memory.total --format=csv` writes it, with or without
///   header and units, columns in any order when there is a header, `[N/A]` and the like as unavailable readings.
///   memory.free, memory.reserved, name, uuid and pci.bus_id are used where the header has them; without index, GPUs
///   are told apart by UUID or PCI address and counted as they appear, and without those there is a single GPU. The
///   stamps name no zone and are taken as UTC, so that a recording reads the same everywhere; they are kept as wall
///   times. A header again in the middle (logging was restarted) may change the columns;
/// - JSON Lines as `gpumem record` writes them; records of other types and unknown keys are passed over.
/// A byte order mark, CRLF, blanks around fields and blank lines do not matter. Memory is proportional to the text.
/// Errors (ParseFailed) name the line and what was expected: a malformed row, NaN, a GPU index above 1023, 2^63 bytes
/// and more, total 0, time going backwards on one GPU, a newer JSON schema, no rows at all. used above total is kept,
/// with a warning, and where the recording does not give free it is 0. A last line without line feed that does not
/// parse is what a crash leaves: dropped, with a warning; so is one whose total is not the GPU's former one.
[[nodiscard]] Result<Trace> parse_trace(std::string_view text);
/// parse_trace of a file of at most 1 GiB; errors carry its name (NotFound, PermissionDenied, Io, ParseFailed).
[[nodiscard]] Result<Trace> load_trace(const std::filesystem::path& file);

/// Replays a trace by the clock it is given: read() answers the newest reading that is not in the clock's future (of
/// several at one time the last), stamped with its recorded time, and an unavailable one before the device's first
/// row. Process lists are recorded less often: when asked for, the newest of them comes along, with its own time.
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
    std::vector<std::size_t> rows;                 // into trace_.readings
    std::size_t next = 0;                          // first row that is still in the future
    std::shared_ptr<const ProcessList> processes;  // the newest before `next`
  };

  [[nodiscard]] Track* find_track(int gpu);
  void move_to(Track& track, MonoTime now) const;

  Trace trace_;
  const Clock& clock_;
  std::vector<Track> tracks_;  // ascending by index
};

}  // namespace dualgpuopt::memory
