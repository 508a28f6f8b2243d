#include "dualgpuopt/memory/oom/oom_error.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

TEST(OomError, NamesItsParts) {
  EXPECT_EQ(to_string(OomSource::PyTorch), "PyTorch");
  EXPECT_EQ(to_string(OomSource::OnnxRuntime), "ONNX Runtime");
  EXPECT_EQ(to_string(OomPhase::KvCache), "kv_cache");
}

TEST(OomError, KnowsWhatNoMachineHas) {
  EXPECT_TRUE(is_implausible(4585490524328388608U)) << "as ONNX Runtime once printed";
  EXPECT_FALSE(is_implausible(Bytes{2} << 40));
}

}  // namespace
}  // namespace dualgpuopt::memory
