// The stand-in's time: the machine's since it began, or a clock that a test gives.
#pragma once

#include <chrono>

namespace nvml_fake {

class DriverTime {
 public:
  using Read = long long (*)(void* context);

  /// Counts the machine's time from now on.
  void begin();
  /// Time by this clock from now on; null for the machine's.
  void use(Read now_ns, void* context);

  [[nodiscard]] bool is_real() const { return read_ == nullptr; }
  [[nodiscard]] std::chrono::nanoseconds now() const;
  /// The world's time at 0, in microseconds; 0 where the time is not the world's.
  [[nodiscard]] unsigned long long wall_origin_us() const { return is_real() ? wall_origin_us_ : 0; }

 private:
  Read read_ = nullptr;
  void* context_ = nullptr;
  std::chrono::steady_clock::time_point origin_{};
  unsigned long long wall_origin_us_ = 0;
};

}  // namespace nvml_fake
