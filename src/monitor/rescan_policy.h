// When to look again for devices: a pure decision, so that it can be tested apart.
#pragma once

#include <optional>

#include "dualgpuopt/memory/core/clock.h"

namespace dualgpuopt::memory {

/// Every `interval`, since devices come without a word; and while one cannot be read, at once and then after 1 s, 2 s,
/// 4 s, … up to kLongestBackOff, since looking may open the driver again and costs it more than a reading.
class RescanPolicy {
 public:
  static constexpr Duration kFirstBackOff = std::chrono::seconds(1);
  static constexpr Duration kLongestBackOff = std::chrono::seconds(60);

  /// `began`: when the devices were last looked for.
  RescanPolicy(Duration interval, MonoTime began) : interval_(interval), last_(began) {}

  /// Whether to look now; whoever asks does so if the answer is yes.
  [[nodiscard]] bool is_due(MonoTime now, bool all_can_be_read);
  /// The next is_due() says yes.
  void ask() { asked_ = true; }

 private:
  Duration interval_;
  MonoTime last_;
  std::optional<Duration> back_off_;  // empty while all can be read
  bool asked_ = false;
};

}  // namespace dualgpuopt::memory
