// Finds memory that is taken again and again and never given back.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <vector>

#include "dualgpuopt/memory/metrics/leak.h"

namespace dualgpuopt::memory {

/// Watches the floor of one series: the least that was in use in each window, at three scales. A leak is a row of
/// windows in which nearly every floor is higher than the one before, too many for chance: with k rises of m, the
/// one-sided sign test (W. Dixon, A. Mood, "The statistical sign test", 1946) gives p = P(at least k of m fair coins),
/// and a leak is told from p <= kMostDoubt on. Its null is a floor that wanders up and down.
///
/// Not leaks: a series that has stopped growing (the newest third of the windows grows by less than half of the median
/// pace), and growth that this series has given back before: a row counts only beyond kBeyondCycle times the largest
/// one that was reclaimed. The first cycle of a slow sawtooth looks like a leak all the same, until it falls; so does a
/// load that takes longer than seven windows.
///
/// Times must ascend; a sample that does not is ignored. After a gap of more than kLongestGap windows a scale begins
/// anew. Constant time and memory; allocates nothing; deterministic. Not thread-safe: one owner.
class LeakDetector {
 public:
  static constexpr std::array<double, 3> kWindowSeconds{60, 600, 3600};
  static constexpr std::size_t kFloors = 12;  ///< Windows in a row, at most.
  static constexpr double kMostDoubt = 0.01;
  static constexpr double kBeyondCycle = 1.5;
  static constexpr double kLongestGap = 3;
  static constexpr Bytes kLeastGrowth = 1_MiB;  ///< Less is no leak that would matter.

  void add(MonoTime time, Bytes used);
  /// By the longest scale that shows one; empty if none does.
  [[nodiscard]] std::optional<LeakEstimate> leak() const;
  void reset() { *this = LeakDetector(); }

 private:
  /// The floors of one scale.
  class Scale {
   public:
    void add(double seconds, Bytes used, double window);
    [[nodiscard]] std::optional<LeakEstimate> leak(double window) const;

   private:
    void close_window();
    void note_reclaimed();
    [[nodiscard]] double floor(std::size_t i) const { return floors_[(newest_ + kFloors + 1 - count_ + i) % kFloors]; }

    std::array<double, kFloors> floors_{};
    std::size_t newest_ = kFloors - 1;
    std::size_t count_ = 0;
    double reclaimed_ = 0;         // the largest growth that was given back
    double row_start_ = 0;         // the floor from which the present growth began
    double row_top_ = 0;           // the highest since
    std::optional<double> begun_;  // the open window
    double least_ = 0;
  };

  std::optional<MonoTime> first_;
  MonoTime last_;
  std::array<Scale, kWindowSeconds.size()> scales_;
};

/// The same for every process of a device. A process is known by PID and start time, so a PID that is used again is
/// another process. At most kProcesses are followed; the smallest is forgotten for a new one that is larger. Processes
/// whose use or start time is not known are left out.
class ProcessLeakDetector {
 public:
  static constexpr std::size_t kProcesses = 32;

  /// A list that failed, or is not newer than the last one, changes nothing. Those that are no longer listed are
  /// forgotten.
  void add(const ProcessList& processes);
  /// Those that leak, the fastest first.
  [[nodiscard]] std::vector<Leak> leaks() const;

 private:
  struct Followed {
    ProcessMemory process;
    LeakDetector detector;
    bool is_listed = false;
  };

  [[nodiscard]] Followed* find_or_follow(const ProcessMemory& process);

  std::vector<Followed> followed_;
  std::optional<MonoTime> last_;
};

}  // namespace dualgpuopt::memory
