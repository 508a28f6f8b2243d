// The suite of conformance.h on NVML, over the stand-in library.
#include "dualgpuopt/memory/sources/nvml.h"
#include "sources/conformance.h"
#include "sources/fake_nvml.h"

namespace dualgpuopt::memory {
namespace {

/// A partitioned GPU with one instance, and an ordinary one, both with processes.
std::unique_ptr<MemorySource> open_stand_in(const Clock& clock, NvmlGeneration generation) {
  auto partitioned = fake_gpu("GPU-a", 80_GiB, 512_MiB, 1_GiB);
  partitioned.mig_capable = partitioned.mig_enabled = 1;
  partitioned.mig_slots[3] = 2;
  auto ordinary = fake_gpu("GPU-b", 24_GiB, 300_MiB, 6_GiB);
  ordinary.compute = fake_list({{42, 5_GiB, ~0U, ~0U}, {43, ~0ULL, ~0U, ~0U}});
  ordinary.graphics = fake_list({{42, 4_GiB, ~0U, ~0U}});
  const FakeNvml fake({partitioned, ordinary}, generation);
  fake.change([](NvmlFakeState& state) { state.devices[2] = fake_gpu("MIG-a", 10_GiB, 0, 1_GiB); });
  return std::move(open_nvml(clock, {fake.path(), "/nowhere"}).value());
}

INSTANTIATE_TEST_SUITE_P(Nvml, MemorySourceConformance,
                         ::testing::Values(SourceCase{"nvml", Provenance::Driver, [](const Clock& clock) {
                                                        return open_stand_in(clock, NvmlGeneration::R510);
                                                      }}));
INSTANTIATE_TEST_SUITE_P(OldNvml, MemorySourceConformance,
                         ::testing::Values(SourceCase{"nvml", Provenance::Driver, [](const Clock& clock) {
                                                        return open_stand_in(clock, NvmlGeneration::R418);
                                                      }}));

}  // namespace
}  // namespace dualgpuopt::memory
