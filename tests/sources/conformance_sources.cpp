// The sources that the conformance suite runs on. A new source is one instantiation, here or in a file of its own.
#include "dualgpuopt/memory/sources/simulated.h"
#include "dualgpuopt/memory/sources/trace.h"
#include "sources/conformance.h"

namespace dualgpuopt::memory {
namespace {

constexpr std::string_view kScenario = R"(
[[gpu]]
total = "8GiB"
reserved = "300MiB"
[[gpu.process]]
pid = 11
name = "steady"
motion = [{kind = "step", amount = "1GiB"}]
[[gpu.process]]
pid = 12
name = "leaky"
start = "1s"
stop = "80s"
motion = [{kind = "leak", period = "1s", amount = "200MiB"}]
[[gpu]]
total = "4GiB"
)";

/// GPU 1 is seen only later, and GPU 3 has no known total; there is no GPU 2.
constexpr std::string_view kTrace =
    "t_s,gpu,used_bytes,total_bytes\n"
    "0,0,1000,8000\n"
    "0,3,500,\n"
    "1,0,2000,8000\n"
    "1,1,100,4000\n"
    "60,0,9000,8000\n"
    "60,1,200,4000\n";

std::unique_ptr<MemorySource> open_simulated(const Clock& clock) {
  return std::make_unique<SimulatedSource>(parse_scenario(kScenario).value(), clock);
}

std::unique_ptr<MemorySource> open_trace(const Clock& clock) {
  return std::make_unique<TraceSource>(parse_trace(kTrace).value(), clock);
}

INSTANTIATE_TEST_SUITE_P(Simulated, MemorySourceConformance,
                         ::testing::Values(SourceCase{"sim", Provenance::Simulated, open_simulated}));
INSTANTIATE_TEST_SUITE_P(Trace, MemorySourceConformance,
                         ::testing::Values(SourceCase{"trace", Provenance::Replayed, open_trace}));
// NVML runs on its stand-in library, in nvml_conformance.cpp.

}  // namespace
}  // namespace dualgpuopt::memory
