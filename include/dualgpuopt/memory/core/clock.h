// Time: monotonic inside, wall-clock only in public stamps, and always injected.
#pragma once

#include <atomic>
#include <chrono>
#include <optional>
#include <stop_token>
#include <string>

namespace dualgpuopt::memory {

using Duration = std::chrono::nanoseconds;
using Seconds = std::chrono::duration<double>;
using WallTime = std::chrono::system_clock::time_point;

/// Tag of the monotonic time line. Its origin is the Clock's own: the start of the program for SystemClock, the first
/// row for a replayed trace. Times of two different Clocks must not be compared.
struct Monotonic {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<Monotonic, Duration>;
  static constexpr bool is_steady = true;
};
using MonoTime = Monotonic::time_point;

/// Seconds since the clock's origin: the `t` of every record.
[[nodiscard]] inline double seconds_since_origin(MonoTime time) { return Seconds(time.time_since_epoch()).count(); }

/// A moment as both clocks saw it. `wall` is empty where no wall clock was running, as in a replayed trace.
struct TimeStamp {
  MonoTime mono{};
  std::optional<WallTime> wall;

  friend bool operator==(const TimeStamp&, const TimeStamp&) = default;
};

/// "2026-11-23T20:03:01.250Z", UTC, to the millisecond.
[[nodiscard]] std::string format_wall_time(WallTime time);

/// Where time comes from. Implementations are thread-safe, and now() never goes backwards.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual MonoTime now() const = 0;
  /// Empty when this clock's time is not the world's.
  [[nodiscard]] virtual std::optional<WallTime> wall_now() const = 0;
  [[nodiscard]] TimeStamp stamp() const { return {now(), wall_now()}; }
  /// Lets time pass until `time`, or until a stop is requested. Returns false in the latter case.
  virtual bool sleep_until(MonoTime time, const std::stop_token& stop) = 0;
};

/// The machine's own clocks; monotonic time counts from the construction of the object.
class SystemClock final : public Clock {
 public:
  SystemClock() : origin_(std::chrono::steady_clock::now()) {}
  [[nodiscard]] MonoTime now() const override { return MonoTime(std::chrono::steady_clock::now() - origin_); }
  [[nodiscard]] std::optional<WallTime> wall_now() const override { return std::chrono::system_clock::now(); }
  bool sleep_until(MonoTime time, const std::stop_token& stop) override;

 private:
  std::chrono::steady_clock::time_point origin_;
};

/// A clock that moves only when told to: for tests and for replay. Starts at zero; has no wall time.
class VirtualClock final : public Clock {
 public:
  [[nodiscard]] MonoTime now() const override { return MonoTime(Duration(now_.load(std::memory_order_acquire))); }
  [[nodiscard]] std::optional<WallTime> wall_now() const override { return std::nullopt; }
  /// Jumps to `time` at once.
  bool sleep_until(MonoTime time, const std::stop_token& stop) override;
  void advance(Duration by) { now_.fetch_add(by.count(), std::memory_order_acq_rel); }
  /// Moves forward to `time`; an earlier time leaves the clock where it is.
  void advance_to(MonoTime time);

 private:
  std::atomic<Duration::rep> now_{0};
};

}  // namespace dualgpuopt::memory
