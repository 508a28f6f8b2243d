#include "recovery/fresh_reading.h"

#include <gtest/gtest.h>

#include "recovery/readings.h"

namespace dualgpuopt::memory {
namespace {

using namespace testing;

Reading listed(Provenance provenance, std::string reason = "") {
  auto reading = reading_of(1_GiB, 0, provenance);
  reading.processes = std::make_shared<const ProcessList>(ProcessList{{}, {}, std::move(reason), ""});
  return reading;
}

TEST(UnusableForEnding, WantsADriversReadingWithItsList) {
  EXPECT_EQ(unusable_for_ending(listed(Provenance::Driver)), "");
  EXPECT_EQ(unusable_for_ending(listed(Provenance::Simulated)), "the reading is simulated");
  EXPECT_EQ(unusable_for_ending(listed(Provenance::Replayed)), "the reading is replayed");
  EXPECT_EQ(unusable_for_ending(lost("GPU is lost")), "GPU is lost");
  EXPECT_EQ(unusable_for_ending(lost("")), "the device cannot be read");
  EXPECT_EQ(unusable_for_ending(reading_of(1_GiB)), "the driver's list of processes is not there");
  EXPECT_EQ(unusable_for_ending(listed(Provenance::Driver, "denied")), "the driver's list of processes: denied");
}

}  // namespace
}  // namespace dualgpuopt::memory
