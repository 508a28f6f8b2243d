#include "fakes/nvml/story/part_use.h"

#include <algorithm>

namespace nvml_fake {
namespace {

using namespace std::chrono_literals;
using dualgpuopt::memory::motion_amount;
using dualgpuopt::memory::WideBytes;

/// The sum of the motions, at least 0 and at most `most`. `key.motion` is counted up here.
Bytes sum_of(const std::vector<Motion>& motions, Duration elapsed, NoiseKey key, Bytes most) {
  WideBytes sum = 0;
  for (const auto& motion : motions) {
    sum += motion_amount(motion, elapsed, key);
    ++key.motion;
  }
  return static_cast<Bytes>(std::clamp<WideBytes>(sum, 0, most));
}

Bytes recorded(const std::vector<TracePoint>& trace, Duration now) {
  const auto later = std::upper_bound(trace.begin(), trace.end(), now,
                                      [](Duration time, const TracePoint& point) { return time < point.at; });
  return later == trace.begin() ? 0 : std::prev(later)->used;
}

ProcessOverride override_of(const PartOverride& live, unsigned pid) {
  const auto found = live.processes.find(pid);
  return found == live.processes.end() ? ProcessOverride{} : found->second;
}

bool is_known(const Part& part, unsigned pid) {
  return std::any_of(part.processes.begin(), part.processes.end(),
                     [&](const Process& process) { return process.pid == pid; });
}

Holding holding_of(const Process& process, Bytes used) { return {process.pid, process.lists, process.memory, used}; }

/// The processes that run, each cut to what those before it leave of `available`.
std::vector<Holding> holdings_of(const Part& part, Duration now, NoiseKey key, const PartOverride& live,
                                 Bytes available) {
  std::vector<Holding> holdings;
  for (const auto& process : part.processes) {
    const auto told = override_of(live, process.pid);
    if (process.span.contains(now) && !told.gone) {
      const auto wanted = told.used.value_or(sum_of(process.motions, now - process.span.start, key, available));
      holdings.push_back(holding_of(process, std::min(wanted, available)));
      available -= holdings.back().used;
    }
    ++key.process;
  }
  for (const auto& [pid, told] : live.processes) {
    if (!told.used || is_known(part, pid)) continue;
    holdings.push_back(holding_of(told.newcomer, std::min(*told.used, available)));
    available -= holdings.back().used;
  }
  return holdings;
}

}  // namespace

PartUse measure(const Part& part, Duration now, NoiseKey key, const PartOverride& live) {
  const auto capacity = part.total - part.reserved;
  NoiseKey own = key;
  own.process = ~std::uint64_t{0};
  const auto nobodys = sum_of(part.motions, now, own, capacity);
  const auto traced = std::min(recorded(part.trace, now), capacity);
  PartUse use;
  use.holdings = holdings_of(part, now, key, live, part.trace.empty() ? capacity - nobodys : traced);
  use.used = part.trace.empty() ? nobodys : traced;
  if (part.trace.empty()) {
    for (const auto& holding : use.holdings) use.used += holding.used;
  }
  if (live.used) use.used = std::min(*live.used, capacity);
  return use;
}

Bytes most_held(const Part& part, const Process& process, Duration now) {
  const auto lasted = std::min(now, process.span.stop.value_or(now + 1ns) - 1ns) - process.span.start;
  std::vector<Duration> moments{lasted};
  for (const auto& motion : process.motions) {
    for (const auto length : {Duration{}, motion.lasting, motion.period}) {
      moments.push_back(motion.at + length);
      moments.push_back(motion.at + length - 1ns);
    }
  }
  Bytes most = 0;
  for (const auto moment : moments) {
    if (moment < Duration{} || moment > lasted) continue;
    most = std::max(most, sum_of(process.motions, moment, {}, part.total - part.reserved));
  }
  return most;
}

}  // namespace nvml_fake
