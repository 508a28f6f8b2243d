#include "oom/oom_family.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

TEST(OomFamilies, NoneBeginsInAnEmptyLine) {
  EXPECT_EQ(oom_families().size(), 10U);
  for (const auto& family : oom_families()) {
    EXPECT_FALSE(family.starts(""));
    EXPECT_GT(family.patience, 0U);
  }
}

TEST(OomFamilies, CanReadAnything) {
  for (const auto& family : oom_families()) {
    OomError error;
    family.read("", error);
    family.read("cuda out of memory. tried to allocate", error);
    EXPECT_FALSE(error.requested);
  }
}

TEST(Put, KeepsTheFirstAmountAndNamesWhatIsNone) {
  OomError error;
  put(error, &OomError::free, Amount{1_GiB, 0});
  put(error, &OomError::free, Amount{2_GiB, 0});
  put(error, &OomError::total, std::nullopt);
  put(error, &OomError::requested, Amount{std::nullopt, 0});
  EXPECT_EQ(error.free, 1_GiB);
  EXPECT_FALSE(error.total);
  EXPECT_EQ(error.implausible, (std::vector<std::string>{"requested_bytes"}));
}

TEST(FirstDevice, IsTheFirstPhrasesDevice) {
  EXPECT_EQ(first_device("gpu 2, device 1", {"device ", "gpu "}), 1);
  EXPECT_EQ(first_device("device x, gpu 2", {"device ", "gpu "}), 2);
  EXPECT_FALSE(first_device("nothing", {"device "}));
}

}  // namespace
}  // namespace dualgpuopt::memory
