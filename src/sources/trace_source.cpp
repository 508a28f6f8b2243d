
#include <algorithm>

#include "core/format.h"
#include "dualgpuopt/memory/sources/trace.h"

namespace dualgpuopt::memory {

TraceSource::TraceSource(Trace trace, const Clock& clock) : trace_(std::move(trace)), clock_(clock) {
  for (const auto& device : trace_.devices) tracks_.emplace_back().gpu = device.gpu;
  for (std::size_t row = 0; row < trace_.readings.size(); ++row) {
    if (auto* track = find_track(trace_.readings[row].gpu)) track->rows.push_back(row);
  }
}

TraceSource::Track* TraceSource::find_track(int gpu) {
  const auto found = std::lower_bound(tracks_.begin(), tracks_.end(), gpu,
                                      [](const Track& track, int wanted) { return track.gpu < wanted; });
  return found != tracks_.end() && found->gpu == gpu ? &*found : nullptr;
}

void TraceSource::move_to(Track& track, MonoTime now) const {
  for (; track.next < track.rows.size(); ++track.next) {
    const auto& reading = trace_.readings[track.rows[track.next]];
    if (reading.time.mono > now) return;
    if (reading.processes) track.processes = reading.processes;
  }
}

Reading TraceSource::read(int gpu, ReadDetail detail) {
  const auto now = clock_.stamp();
  auto* track = find_track(gpu);
  if (track == nullptr) {
    return Reading::unavailable(gpu, now, provenance(), format_text("the recording has no GPU {}", gpu));
  }
  move_to(*track, now.mono);
  if (track->next == 0) {
    return Reading::unavailable(gpu, now, provenance(), format_text("the recording has no reading of GPU {} yet", gpu));
  }
  auto reading = trace_.readings[track->rows[track->next - 1]];
  reading.processes = detail == ReadDetail::MemoryAndProcesses ? track->processes : nullptr;
  return reading;
}

}  // namespace dualgpuopt::memory
