// What the readers of all recording forms share: the rows of one recording on their way to a Trace.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dualgpuopt/memory/sources/trace.h"
#include "sources/trace_lines.h"

namespace dualgpuopt::memory {

/// Where the times of a recording count from: what its seconds say, or its first row where it has stamps of the world.
enum class TimeOrigin { AsWritten, FirstRow };

/// Collects rows, checks what holds in every form, and makes the Trace.
class TraceBuilder {
 public:
  /// Takes the reading of a line, made Replayed. Refused: a total of 0, a time before the GPU's last one, and in a
  /// line that was cut off a total that is not the GPU's. `reading.gpu` lies in 0..kGpuLimit-1.
  [[nodiscard]] Result<void> add(Reading reading, const TraceLine& line);

  /// Names a device; what was said of it first stays.
  void describe(Device device, const TraceLine& line);
  [[nodiscard]] bool describes(int gpu) { return track(gpu).device.has_value(); }

  /// Notes something that was tolerated. Lines with the same `kind` make one warning, however many they are.
  void tolerate(std::string_view kind, const TraceLine& line);
  /// Notes that the last line was cut off and is left out, and the error that it gave.
  void drop_cut_line(const TraceLine& line, const Error& error);

  /// Error: no reading at all.
  [[nodiscard]] Result<Trace> finish(TimeOrigin origin) &&;

 private:
  /// What is known of one GPU so far.
  struct Track {
    std::optional<TimeStamp> newest;
    std::optional<Bytes> total;
    std::optional<Device> device;
  };
  struct Tolerated {
    std::string kind;
    std::size_t first_line = 0;
    std::size_t lines = 0;
  };

  [[nodiscard]] Track& track(int gpu);
  [[nodiscard]] Result<void> check(const Reading& reading, const TraceLine& line);
  [[nodiscard]] std::vector<std::string> warnings() const;

  std::vector<Reading> readings_;
  std::vector<Track> tracks_;  // by GPU index
  std::vector<Tolerated> tolerated_;
  std::string cut_line_;
};

/// Takes one line of a recording into the builder.
using LineReader = std::function<Result<void>(const TraceLine&, TraceBuilder&)>;

/// Feeds every line to the reader, and makes the Trace. The first error ends it, except in a last line without line
/// feed, which a crash may have cut off: that one is left out with a warning.
[[nodiscard]] Result<Trace> build_trace(std::string_view text, TimeOrigin origin, const LineReader& read_line);

}  // namespace dualgpuopt::memory
