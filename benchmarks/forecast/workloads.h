// Made GPU memory workloads whose truth is known: growth to a real out-of-memory, which recordings are short of.
#pragma once

#include <cstdint>
#include <vector>

#include "forecast/series.h"

namespace dualgpuopt::memory::forecast_benchmark {

/// A GPU of 24 GiB, half an hour at a sample a second, of each of:
/// - leak: 10 MiB/h to 1 GiB/s in steps of ten, under noise, so near the capacity that it is reached after 25 min;
/// - load: models of equal shards that fit, and that do not (a step every few seconds);
/// - preallocation: servers that take 0.9 (vLLM's gpu_memory_utilization) or 0.75 (JAX's
///   XLA_PYTHON_CLIENT_MEM_FRACTION) of the GPU at once and hold it;
/// - training: a sawtooth of steps whose peak stays, or grows with the sequence length until it does not fit;
/// - serving: requests that arrive by chance (Poisson) and hold memory for as long as they are answered; one level of
///   traffic that fits, and one that seldom does not;
/// - evaluation: a plateau with a higher peak every five minutes, always the same, or too high in the fourth cycle;
/// - processes: a steady one, and another that loads beside it, which fits or does not;
/// - fragmentation: an allocator that takes segments of 2 MiB to 1 GiB less and less often, up to a plateau under the
///   capacity.
/// When memory runs out the job dies: nothing is in use for a minute, then it begins again. Series::capacity is set;
/// deterministic in the seed.
[[nodiscard]] std::vector<Series> made_workloads(std::uint64_t seed);

}  // namespace dualgpuopt::memory::forecast_benchmark
