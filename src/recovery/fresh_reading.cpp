#include "recovery/fresh_reading.h"

#include "core/format.h"

namespace dualgpuopt::memory {

std::string unusable_for_ending(const Reading& reading) {
  if (reading.provenance != Provenance::Driver) return format_text("the reading is {}", to_string(reading.provenance));
  if (!reading.ok()) return reading.reason.empty() ? "the device cannot be read" : reading.reason;
  if (!reading.processes) return "the driver's list of processes is not there";
  return reading.processes->reason.empty() ? "" : "the driver's list of processes: " + reading.processes->reason;
}

}  // namespace dualgpuopt::memory
