#include "job/job_statistics.h"

namespace dualgpuopt::memory::job {
namespace {

void raise(std::optional<Peak>& peak, Bytes used, Duration at) {
  if (!peak || used > peak->used) peak = Peak{used, at};
}

}  // namespace

void JobStatistics::add(const JobMemory& memory, MonoTime now) {
  if (last_ && memory.time <= *last_) return;
  last_ = memory.time;
  const auto at = std::max(memory.time - started_, Duration::zero());
  bool is_known_somewhere = false;
  for (const auto& share : memory.gpus) {
    if (!share.is_known()) continue;
    is_known_somewhere = true;
    auto& peak = by_gpu_.try_emplace(share.gpu, Peak{share.used, at}).first->second;
    if (share.used > peak.used) peak = {share.used, at};
  }
  if (is_known_somewhere) raise(total_, memory.used(), at);
  const auto reason = memory.reason({});
  if (reason.empty()) {
    ++samples_;
    if (unknown_since_) unknown_ += now - *unknown_since_;
    unknown_since_.reset();
  } else {
    reason_ = reason;
    if (!unknown_since_) unknown_since_ = now;
  }
}

Duration JobStatistics::unknown_for(MonoTime now) const {
  return unknown_ + (unknown_since_ ? now - *unknown_since_ : Duration::zero());
}

}  // namespace dualgpuopt::memory::job
