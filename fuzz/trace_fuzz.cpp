// Any bytes as a recording: an error, or a well-formed trace that can be replayed and recorded again.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "dualgpuopt/memory/sources/recording.h"
#include "dualgpuopt/memory/sources/trace.h"

namespace {

using namespace dualgpuopt::memory;

constexpr std::size_t kMostSteps = 200;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

void check_reading(const Reading& reading) {
  require(reading.provenance == Provenance::Replayed, "provenance is Replayed");
  require(reading.ok() == reading.reason.empty(), "either numbers or a reason");
  if (!reading.ok()) return;
  require(reading.memory->total != Bytes{0}, "total is not 0");
  require(std::isfinite(reading.memory->occupied_percent().value_or(0)), "occupied is finite");
}

void check_order(const Trace& trace) {
  require(!trace.readings.empty(), "there are readings");
  auto newest = trace.readings.front().time.mono;
  for (const auto& reading : trace.readings) {
    require(reading.time.mono >= newest, "times do not descend");
    newest = reading.time.mono;
  }
}

void check_devices(const Trace& trace) {
  std::map<int, int> count;
  for (const auto& device : trace.devices) ++count[device.gpu];
  for (const auto& reading : trace.readings) require(count[reading.gpu] == 1, "each GPU is one device");
}

void replay(const Trace& trace) {
  VirtualClock clock;
  TraceSource source(trace, clock);
  std::size_t steps = 0;
  for (const auto time : trace.times()) {
    if (++steps > kMostSteps) return;
    clock.advance_to(time);
    for (const auto& device : trace.devices) {
      const auto reading = source.read(device.gpu, ReadDetail::MemoryAndProcesses);
      check_reading(reading);
      require(reading.time.mono <= time, "no reading is from the future");
    }
  }
}

void record_again(const Trace& trace) {
  RecordingFormatter formatter(RecordingForm::JsonLines);
  auto text = formatter.header(trace.devices);
  for (const auto& reading : trace.readings) text += formatter.line(reading);
  const auto again = parse_trace(text);
  require(again.has_value(), "what was recorded can be read");
  require(again->readings.size() == trace.readings.size(), "every reading comes back");
  for (std::size_t i = 0; i < trace.readings.size(); ++i) {
    require(again->readings[i].memory == trace.readings[i].memory, "memory comes back");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto trace = parse_trace({reinterpret_cast<const char*>(data), size});
  if (!trace) {
    require(!trace.error().message().empty() && trace.error().message().size() < 400, "the error is a short sentence");
    return 0;
  }
  for (const auto& reading : trace->readings) check_reading(reading);
  check_order(*trace);
  check_devices(*trace);
  (void)trace->median_interval();
  replay(*trace);
  record_again(*trace);
  return 0;
}
