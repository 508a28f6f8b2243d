// What a job holds, made by hand.
#pragma once

#include "job/job_memory.h"

namespace dualgpuopt::memory::job {

inline JobMemory holding(Bytes used, Duration at, Provenance provenance = Provenance::Driver) {
  return {MonoTime(at), provenance, {{0, used, ""}}};
}

inline JobMemory unknown(const std::string& reason, Duration at, Bytes at_least = 0) {
  return {MonoTime(at), Provenance::Driver, {{0, at_least, ""}, {1, 0, reason}}};
}

}  // namespace dualgpuopt::memory::job
