#include "dualgpuopt/memory/recovery/victim_policy.h"

#include <algorithm>
#include <array>
#include <set>

#include "core/format.h"
#include "metrics/parse_enum.h"

namespace dualgpuopt::memory {

std::string_view to_string(VictimOrder order) {
  switch (order) {
    case VictimOrder::Largest: return "largest";
    case VictimOrder::Newest: return "newest";
    case VictimOrder::FastestGrowing: return "fastest_growing";
    case VictimOrder::LowestPriority: return "lowest_priority";
  }
  return "unknown";
}

Result<VictimOrder> parse_victim_order(std::string_view text) {
  return parse_enum(
      text, "an order of victims",
      std::array{VictimOrder::Largest, VictimOrder::Newest, VictimOrder::FastestGrowing, VictimOrder::LowestPriority});
}

std::string_view to_string(VictimUnit unit) { return unit == VictimUnit::Single ? "single" : "group"; }

Result<VictimUnit> parse_victim_unit(std::string_view text) {
  return parse_enum(text, "a unit", std::array{VictimUnit::Single, VictimUnit::Group});
}

Result<void> VictimPolicy::validate() const {
  if (order.empty()) return fail(ErrorCode::InvalidArgument, "terminate.order is empty: expected one at least");
  if (std::set(order.begin(), order.end()).size() != order.size()) {
    return fail(ErrorCode::InvalidArgument, "terminate.order has one of them twice");
  }
  return {};
}

const std::vector<std::string_view>& protected_commands() {
  static const std::vector<std::string_view> commands{
      // the machine itself
      "init",
      "systemd*",
      "(sd-pam)",
      "dbus-daemon",
      "dbus-broker*",
      "sshd*",
      "dropbear",
      "login",
      "agetty",
      "udevd",
      "cron",
      "crond",
      "runit*",
      "s6-*",
      "openrc*",
      "launchd",
      // what is on the screen
      "Xorg",
      "X",
      "Xwayland",
      "Xvnc*",
      "gnome-shell",
      "mutter*",
      "kwin*",
      "plasmashell",
      "sway",
      "weston",
      "Hyprland",
      "gdm*",
      "sddm*",
      "lightdm*",
      "xfwm4",
      "cosmic-comp",
      "gamescope*",
      // containers and clusters
      "containerd*",
      "dockerd",
      "docker-proxy",
      "docker-init",
      "tini",
      "crio",
      "conmon*",
      "podman",
      "runc",
      "crun",
      "kubelet",
      "kube-*",
      "k3s*",
      "cri-*",
      "slurmd",
      "slurmstepd*",
      "slurmctld",
      "nomad",
      "raylet",
      "gcs_server",
      "pbs_mom",
      "sge_execd",
      "condor_*",
      "flux-broker",
      // drivers' daemons
      "nvidia-persistenced",
      "nvidia-fabricmanager",
      "nv-fabricmanager",
      "nv-hostengine",
      "nvidia-cuda-mps-control",
      "nvidia-cuda-mps-server",
      "nvidia-powerd",
      "nvidia-imex",
      "nvidia-device-plugin",
      "dcgm-exporter",
      "nvsm*",
      "amd-smi*",
      "rocm-smi*",
  };
  return commands;
}

std::string_view protecting_glob(const ProcessInfo& process, const VictimPolicy& policy) {
  const auto protects = [&](std::string_view glob) { return command_matches(glob, process); };
  const auto& builtin = protected_commands();
  if (const auto found = std::find_if(builtin.begin(), builtin.end(), protects); found != builtin.end()) return *found;
  const auto own = std::find_if(policy.protect.begin(), policy.protect.end(), protects);
  return own == policy.protect.end() ? std::string_view() : std::string_view(*own);
}

}  // namespace dualgpuopt::memory
