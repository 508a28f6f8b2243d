#include "dualgpuopt/memory/metrics/device_event.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

/// The Xid errors that tell something about memory or about a GPU that is gone.
constexpr std::array<std::pair<std::uint64_t, std::string_view>, 12> kMeanings{{
    {13, "an exception in the graphics engine"},
    {31, "a page fault in the GPU's memory"},
    {43, "the GPU stopped processing"},
    {45, "the driver cleaned up after a failed program"},
    {48, "an uncorrected ECC error"},
    {63, "a memory row was remapped or a page retired"},
    {64, "a memory row could not be remapped or a page not retired"},
    {74, "an NVLink error"},
    {79, "the GPU has fallen off the bus"},
    {92, "many corrected ECC errors"},
    {94, "a contained ECC error"},
    {95, "an uncontained ECC error"},
}};

std::string describe_xid(std::uint64_t code) {
  const auto* found = std::find_if(kMeanings.begin(), kMeanings.end(), [&](const auto& m) { return m.first == code; });
  return found == kMeanings.end() ? format_text("Xid {}", code) : format_text("Xid {} ({})", code, found->second);
}

}  // namespace

std::string_view to_string(DeviceEventKind kind) {
  switch (kind) {
    case DeviceEventKind::Xid: return "xid";
    case DeviceEventKind::EccCorrected: return "ecc_corrected";
    case DeviceEventKind::EccUncorrected: return "ecc_uncorrected";
  }
  return "unknown";
}

std::string DeviceEvent::text() const {
  switch (kind) {
    case DeviceEventKind::Xid: return describe_xid(code);
    case DeviceEventKind::EccCorrected: return "corrected ECC error";
    case DeviceEventKind::EccUncorrected: return "uncorrected ECC error";
  }
  return "unknown event";
}

}  // namespace dualgpuopt::memory
