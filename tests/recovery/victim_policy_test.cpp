#include "dualgpuopt/memory/recovery/victim_policy.h"

#include <gmock/gmock.h>

namespace dualgpuopt::memory {
namespace {

using ::testing::HasSubstr;

std::string_view protects(const std::string& name, const VictimPolicy& policy = {}) {
  ProcessInfo info;
  info.name = name;
  return protecting_glob(info, policy);
}

TEST(VictimPolicy, ProtectsWhatAMachineNeeds) {
  for (const auto* name :
       {"init", "systemd", "systemd-logind", "sshd", "sshd-session", "Xorg", "Xwayland", "gnome-shell", "kwin_wayland",
        "dockerd", "containerd", "containerd-shim", "kubelet", "slurmd", "slurmstepd", "nvidia-persiste",
        "nvidia-fabricma", "nv-hostengine", "nvidia-cuda-mps"}) {
    EXPECT_NE(protects(name), "") << name;
  }
  for (const auto* name : {"python", "train", "ollama", "blender", "vllm", "initialise"}) {
    EXPECT_EQ(protects(name), "") << name;
  }
}

TEST(VictimPolicy, ProtectsWhatItIsTold) {
  VictimPolicy policy;
  policy.protect = {"postgres*"};
  EXPECT_EQ(protects("postgres", policy), "postgres*");
  EXPECT_EQ(protects("postgres"), "");
}

TEST(VictimPolicy, NamesAreReadAsTheyAreWritten) {
  for (const auto* name : {"largest", "newest", "fastest_growing", "lowest_priority"}) {
    EXPECT_EQ(to_string(*parse_victim_order(name)), name);
  }
  EXPECT_THAT(parse_victim_order("oldest").error().message(), HasSubstr("largest, newest"));
  EXPECT_EQ(to_string(*parse_victim_unit("group")), "group");
  EXPECT_THAT(parse_victim_unit("all").error().message(), HasSubstr("single or group"));
}

TEST(VictimPolicy, WantsAnOrder) {
  VictimPolicy policy;
  EXPECT_TRUE(policy.validate());
  policy.order = {};
  EXPECT_THAT(policy.validate().error().message(), HasSubstr("is empty"));
  policy.order = {VictimOrder::Newest, VictimOrder::Newest};
  EXPECT_THAT(policy.validate().error().message(), HasSubstr("twice"));
}

}  // namespace
}  // namespace dualgpuopt::memory
