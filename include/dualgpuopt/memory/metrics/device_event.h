// What a driver reports of a device besides readings: errors, which explain a reading that went wrong.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dualgpuopt/memory/core/clock.h"

namespace dualgpuopt::memory {

/// Xid: an error that NVIDIA's driver reports, with its number; EccCorrected, EccUncorrected: a single-bit error in
/// memory, which does no harm, and a double-bit one, which destroys what was stored there.
enum class DeviceEventKind { Xid, EccCorrected, EccUncorrected };
[[nodiscard]] std::string_view to_string(DeviceEventKind kind);

struct DeviceEvent {
  TimeStamp time;  ///< When it was collected; it happened since the collection before.
  DeviceEventKind kind = DeviceEventKind::Xid;
  std::uint64_t code = 0;  ///< The Xid number; 0 with other kinds.

  /// "Xid 79 (the GPU has fallen off the bus)", "uncorrected ECC error". Numbers without a short meaning stand alone;
  /// meanings are those of https://docs.nvidia.com/deploy/xid-errors.
  [[nodiscard]] std::string text() const;

  friend bool operator==(const DeviceEvent&, const DeviceEvent&) = default;
};

}  // namespace dualgpuopt::memory
