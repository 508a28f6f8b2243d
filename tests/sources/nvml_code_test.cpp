#include "sources/nvml_code.h"

#include <gmock/gmock.h>

#include <set>

namespace dualgpuopt::memory::nvml {
namespace {

using ::testing::HasSubstr;

TEST(NvmlCode, ExplainsEveryListedCodeInItsOwnWords) {
  std::set<std::string_view> explanations;
  for (int code = 0; code <= 30; ++code) explanations.insert(explain(static_cast<Code>(code)));
  explanations.insert(explain(Code::Unknown));
  EXPECT_EQ(explanations.size(), 32U);
  EXPECT_EQ(explanations.count(explain(static_cast<Code>(31))), 0U);
}

TEST(NvmlCode, SaysWhatCanBeDone) {
  EXPECT_THAT(explain(Code::DriverNotLoaded), HasSubstr("modprobe nvidia"));
  EXPECT_THAT(explain(Code::VersionMismatch), HasSubstr("reboot"));
  EXPECT_THAT(explain(Code::GpuIsLost), HasSubstr("reset"));
  EXPECT_THAT(explain(Code::NoPermission), HasSubstr("access"));
  EXPECT_THAT(explain(Code::Unknown), HasSubstr("kernel's log"));
}

TEST(NvmlCode, PutsTheDriversWordsFirst) {
  EXPECT_EQ(describe(Code::NotSupported, "Not Supported"),
            "Not Supported (NVML code 3): this device or driver cannot tell");
  EXPECT_EQ(describe(Code::NotSupported, ""), "NVML code 3: this device or driver cannot tell");
  EXPECT_EQ(describe(static_cast<Code>(-7), "?"), "? (NVML code -7): the driver gives no explanation for this code");
}

}  // namespace
}  // namespace dualgpuopt::memory::nvml
