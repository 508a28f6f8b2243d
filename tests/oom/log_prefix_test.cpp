#include "oom/log_prefix.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

namespace dualgpuopt::memory {
namespace {

TEST(WithoutPrefix, TakesOffWhatLoggersPutBeforeALine) {
  for (const auto* prefix : {
           "[rank0]: ",
           "[1,0]<stderr>:",
           "(enginecore_dp0 pid=123) error 11-24 12:00:00 [core.py:123] ",
           "(vllmworker rank=1 pid=77) ",
           "error 11-24 12:00:00 [engine.py:448] ",
           "container_1 | ",
           "nov 24 12:00:00 host-1 server[4711]: ",
           "2026-11-24t12:00:00+0000 host-1 kernel: ",
           "2026-11-24t12:00:00.123456789z stderr f ",
           "2026-11-24 12:00:00,123 - vllm.engine - error - ",
           "2026-11-24 12:00:00.123 | error | worker:run:12 - ",
           "2026-11-24 12:00:00.123456: e tensorflow/core/framework/op_kernel.cc:1745] ",
           "e1124 12:00:00.123456 4711 bfc_allocator.cc:245] ",
           "[2026-11-24 12:00:00] [error] ",
           "[pod/server-0/main] ",
           "> > ",
       }) {
    EXPECT_EQ(without_prefix(std::string(prefix) + "mib is free"), "mib is free") << prefix;
  }
}

TEST(WithoutPrefix, LeavesWhatIsOfTheMessage) {
  for (const auto* line : {"59.32/79.15 gib) on startup", "[500,17,17,4032] and type float", "-0.53 gib", ": -0.53 gib",
                           "error loading model", "(gpu 0; 1.00 gib total capacity)", "12 mib is free", "", "[", "(",
                           "e", "maximum model length"}) {
    EXPECT_EQ(without_prefix(line), line);
  }
}

RC_GTEST_PROP(WithoutPrefix, TakesAnyText, (const std::string& text)) {
  RC_ASSERT(text.ends_with(without_prefix(text)));
}

}  // namespace
}  // namespace dualgpuopt::memory
