// Objects that can be offloaded, whose moves a test counts, and makes fail or hang.
#pragma once

#include <atomic>
#include <functional>
#include <stdexcept>

#include "dualgpuopt/memory/recovery/offloader.h"
#include "recovery/readings.h"

namespace dualgpuopt::memory::testing {

class TestObject final : public Offloadable {
 public:
  struct Traits {
    std::string name = "object";
    int gpu = 0;
    Bytes bytes = 1_GiB;
    double priority = 0;
  };
  explicit TestObject(Traits traits) : traits_(std::move(traits)) {}

  [[nodiscard]] std::string name() const override { return traits_.name; }
  [[nodiscard]] int gpu() const override { return traits_.gpu; }
  [[nodiscard]] Bytes bytes_on_device() const override {
    if (is_away && on_asked_away) on_asked_away();
    return is_away ? 0 : traits_.bytes;
  }
  [[nodiscard]] double priority() const override { return traits_.priority; }
  Result<void> offload(const std::stop_token& stop) override {
    ++offloads;
    if (on_offload) {
      if (auto result = on_offload(stop); !result) return result;
    }
    if (is_away.exchange(true)) throw std::logic_error("it was away already");
    return {};
  }
  Result<void> restore(const std::stop_token& /*stop*/) override {
    ++restores;
    if (on_restore) {
      if (auto result = on_restore(); !result) return result;
    }
    if (!is_away.exchange(false)) throw std::logic_error("it was at home already");
    return {};
  }

  std::function<Result<void>(const std::stop_token&)> on_offload;  // set before it is registered
  std::function<Result<void>()> on_restore;
  std::function<void()> on_asked_away;  // for its bytes, when it is away
  std::atomic<bool> is_away{false};
  std::atomic<int> offloads{0};
  std::atomic<int> restores{0};

 private:
  Traits traits_;
};

inline RecoveryRequest request_for(Bytes bytes, int gpu = 0, MonoTime deadline = MonoTime(std::chrono::seconds(30))) {
  return {.gpu = gpu,
          .strategy = RecoveryStrategy::Offload,
          .reading = reading_of(kTotal, gpu),
          .target_used = kTotal - bytes,
          .bytes_to_free = bytes,
          .deadline = deadline,
          .stop = {}};
}

inline Result<HostRoom> plenty() { return HostRoom{1_TiB, "a large host"}; }

/// A device with that much occupied, seen at `time`.
inline DeviceState state_of(Bytes used, MonoTime time, int gpu = 0) {
  DeviceState state{.reading = reading_of(used, gpu)};
  state.reading.time.mono = time;
  return state;
}

}  // namespace dualgpuopt::memory::testing
