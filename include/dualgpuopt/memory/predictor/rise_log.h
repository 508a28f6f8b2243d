// How far the use of a device rises above its peak within a given time.
#pragma once

#include <array>
#include <cstddef>
#include <optional>

#include "dualgpuopt/memory/core/clock.h"
#include "dualgpuopt/memory/core/units.h"

namespace dualgpuopt::memory {

/// Looks at one window of time after the other. A window's rise is its highest use above the use at its begin; where
/// that begin lay under kNearPeak of the peak of the last hour or two, above the peak: a job that swings between 10 and
/// 60 GiB rises by nothing, and a window that only comes near the peak says nothing about the room that is needed above
/// it, and is left out. Windows fade with a half-life of an hour. A gap of more than two windows without
/// samples is not looked at. Constant time and space. Not thread-safe: one owner.
class RiseLog {
 public:
  static constexpr double kNearPeak = 0.9;
  static constexpr double kFewestWindows = 20;
  static constexpr double kExceededShare = 0.02;  ///< Of the windows, by weight, that usual_most() leaves out.

  /// A sample, and how long the windows are that begin now. A time that is not after the last one is ignored. True when
  /// a window ended with it, so that usual_most() may have changed.
  bool add(MonoTime time, Bytes used, Duration window);

  /// The rise that 98 of 100 windows do not exceed, rounded up by at most 19 %; empty with fewer than kFewestWindows.
  [[nodiscard]] std::optional<Bytes> usual_most() const;

 private:
  void begin_window(MonoTime time, double used, Duration length);
  void end_window(MonoTime time);
  [[nodiscard]] double recent_peak() const;
  void count(double rise, double seconds);

  static constexpr std::size_t kBuckets = 72;  // of 4 MiB * 2^(k/4): up to 1 TiB

  bool empty_ = true;
  MonoTime last_{};
  MonoTime begun_{};
  Duration length_{};
  double at_begin_ = 0;
  double most_ = 0;
  MonoTime hour_begun_{};
  double peak_ = 0;         // since then,
  double peak_before_ = 0;  // and in the hour before
  std::array<double, kBuckets> weights_{};
};

}  // namespace dualgpuopt::memory
