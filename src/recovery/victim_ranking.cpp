#include "dualgpuopt/memory/recovery/victim_ranking.h"

#include <algorithm>
#include <tuple>

#include "core/format.h"
#include "recovery/victim_rules.h"
#include "recovery/victim_units.h"

namespace dualgpuopt::memory {
namespace {

constexpr std::uint64_t kTicksASecond = 100;  // USER_HZ, which is part of the kernel's interface

/// What decides over the order of a unit.
struct Keys {
  int inclination = 0;  // 1: preferred, -1: avoided
  Bytes bytes = 0;
  std::uint64_t start_ticks = 0;  // of its newest process on the device
  std::optional<double> growth;
  int nice = -20;
  int oom_score_adjustment = -1000;
};

struct Judged {
  RankedVictim victim;
  Keys keys;
};

std::string name_of(const ProcessMemory& listed) {
  auto name = listed.name.empty() ? std::string("a process") : listed.name;
  for (auto& letter : name) {
    if (static_cast<unsigned char>(letter) < ' ' || letter == '\x7f') letter = '?';
  }
  return name;
}

std::string describe(const UnitOfVictims& unit) {
  const auto& first = *unit.listed.front();
  if (unit.group) {
    return format_text("group {} of {} ({} processes)", *unit.group, name_of(first), unit.members.size());
  }
  auto text = format_text("{}, PID {}", name_of(first), first.pid);
  if (!unit.members.empty()) text += format_text(", of {}", unit.members.front()->user);
  return text;
}

Bytes bytes_of(const UnitOfVictims& unit) {
  Bytes sum = 0;
  for (const auto* listed : unit.listed) sum += listed->used.value_or(0);
  return sum;
}

/// Of what the driver lists, if it lists the process on the device.
std::string obstacle_to_listed(pid_t pid, const VictimFacts& facts, const VictimPolicy& policy) {
  const auto listed = std::find_if(facts.listed.begin(), facts.listed.end(),
                                   [&](const ProcessMemory& each) { return each.pid == pid; });
  return listed == facts.listed.end() ? "" : obstacle_to_ending(*listed, facts, policy);
}

std::string obstacle_to_group(const UnitOfVictims& unit, const VictimFacts& facts, const VictimPolicy& policy) {
  for (const auto* member : unit.members) {
    const auto pid = member->info.identity.pid;
    if (unit.is_job && member->job != unit.group) {
      return format_text("PID {} of its group has not been started by gpumem run", pid);
    }
    if (member->may_use_mps) {
      return format_text("PID {} of its group may be a client of the Multi-Process Service on another GPU", pid);
    }
    auto obstacle = obstacle_to_ending(*member, facts, policy);
    if (obstacle.empty()) obstacle = obstacle_to_listed(pid, facts, policy);
    if (!obstacle.empty()) return format_text("PID {} of its group may not be ended: {}", pid, obstacle);
  }
  return unit.members.empty() ? "nobody of its group lives" : "";
}

std::string obstacle_to_unit(const UnitOfVictims& unit, const VictimFacts& facts, const VictimPolicy& policy) {
  for (const auto* listed : unit.listed) {
    if (auto obstacle = obstacle_to_ending(*listed, facts, policy); !obstacle.empty()) return obstacle;
  }
  if (unit.group) {
    if (auto obstacle = obstacle_to_group(unit, facts, policy); !obstacle.empty()) return obstacle;
  }
  const auto bytes = bytes_of(unit);
  if (bytes >= std::max<Bytes>(policy.minimum, 1)) return {};
  return format_text("it holds {}, and the least is {}", format_bytes(bytes), format_bytes(policy.minimum));
}

const ProcessPattern* find_pattern(const std::vector<ProcessPattern>& patterns, const UnitOfVictims& unit) {
  const auto found = std::find_if(patterns.begin(), patterns.end(), [&](const auto& pattern) {
    return std::any_of(unit.members.begin(), unit.members.end(),
                       [&](const auto* member) { return matches(pattern, member->info, member->user); });
  });
  return found == patterns.end() ? nullptr : &*found;
}

Keys keys_of(const UnitOfVictims& unit, const VictimFacts& facts, const VictimPolicy& policy) {
  Keys keys;
  keys.inclination =
      (find_pattern(policy.prefer, unit) != nullptr ? 1 : 0) - (find_pattern(policy.avoid, unit) != nullptr ? 1 : 0);
  keys.bytes = bytes_of(unit);
  for (const auto* listed : unit.listed) {
    keys.start_ticks = std::max(keys.start_ticks, listed->start_ticks.value_or(0));
    if (const auto found = facts.growth.find(listed->pid); found != facts.growth.end()) {
      keys.growth = keys.growth.value_or(0) + found->second;
    }
    const auto& info = facts.processes.at(listed->pid).info;
    std::tie(keys.nice, keys.oom_score_adjustment) =
        std::max(std::tuple(keys.nice, keys.oom_score_adjustment), std::tuple(info.nice, info.oom_score_adjustment));
  }
  return keys;
}

/// More than 0 where the left one comes first, by one order.
int compare(const Keys& left, const Keys& right, VictimOrder order) {
  const auto by = [](const auto& a, const auto& b) { return a < b ? -1 : b < a ? 1 : 0; };
  switch (order) {
    case VictimOrder::Largest: return by(left.bytes, right.bytes);
    case VictimOrder::Newest: return by(left.start_ticks, right.start_ticks);
    case VictimOrder::FastestGrowing: return by(left.growth.value_or(0), right.growth.value_or(0));
    case VictimOrder::LowestPriority:
      return by(std::tuple(left.nice, left.oom_score_adjustment), std::tuple(right.nice, right.oom_score_adjustment));
  }
  return 0;
}

bool comes_first(const Judged& left, const Judged& right, const VictimPolicy& policy) {
  const bool may = left.victim.may_be_ended();
  if (may != right.victim.may_be_ended()) return may;
  if (!may) return left.victim.bytes > right.victim.bytes;
  if (left.keys.inclination != right.keys.inclination) return left.keys.inclination > right.keys.inclination;
  for (const auto order : policy.order) {
    if (const int difference = compare(left.keys, right.keys, order); difference != 0) return difference > 0;
  }
  return left.victim.members.front().pid < right.victim.members.front().pid;
}

std::string explain(const Keys& keys, VictimOrder order) {
  switch (order) {
    case VictimOrder::Largest: return "holds " + format_bytes(keys.bytes);
    case VictimOrder::Newest:
      return format_text("started {} after boot",
                         format_duration(std::chrono::seconds(keys.start_ticks / kTicksASecond)));
    case VictimOrder::FastestGrowing:
      return keys.growth ? "grows by " + format_rate(*keys.growth) : "its growth is not known";
    case VictimOrder::LowestPriority:
      return format_text("nice {}, OOM score adjustment {}", keys.nice, keys.oom_score_adjustment);
  }
  return {};
}

std::string reason_of(const UnitOfVictims& unit, const Keys& keys, const VictimPolicy& policy) {
  std::string reason;
  if (const auto* pattern = find_pattern(policy.prefer, unit)) reason += "preferred by " + pattern->text() + "; ";
  if (const auto* pattern = find_pattern(policy.avoid, unit)) reason += "avoided by " + pattern->text() + "; ";
  for (std::size_t i = 0; i < policy.order.size(); ++i) reason += (i == 0 ? "" : ", ") + explain(keys, policy.order[i]);
  return reason;
}

Judged judge(const UnitOfVictims& unit, const VictimFacts& facts, const VictimPolicy& policy) {
  Judged judged;
  judged.victim.bytes = bytes_of(unit);
  judged.victim.candidate.what = describe(unit);
  for (const auto* listed : unit.listed)
    judged.victim.holders.push_back({listed->pid, listed->start_ticks.value_or(0)});
  if (unit.listed.size() > 1 || unit.listed.front()->used) judged.victim.candidate.bytes = judged.victim.bytes;
  judged.victim.candidate.reason = obstacle_to_unit(unit, facts, policy);
  if (!judged.victim.candidate.reason.empty()) return judged;
  judged.keys = keys_of(unit, facts, policy);
  judged.victim.candidate.reason = reason_of(unit, judged.keys, policy);
  for (const auto* member : unit.members) judged.victim.members.push_back(member->info.identity);
  return judged;
}

}  // namespace

std::vector<RankedVictim> rank_victims(const VictimFacts& facts, const VictimPolicy& policy) {
  std::vector<Judged> judged;
  for (const auto& unit : units_of(facts, policy)) judged.push_back(judge(unit, facts, policy));
  std::stable_sort(judged.begin(), judged.end(),
                   [&](const auto& left, const auto& right) { return comes_first(left, right, policy); });
  auto left = std::count_if(judged.begin(), judged.end(), [](const auto& each) { return each.victim.may_be_ended(); });
  std::vector<RankedVictim> ranked;
  for (auto& each : judged) {
    if (each.victim.may_be_ended()) each.victim.candidate.score = static_cast<double>(left--);
    ranked.push_back(std::move(each.victim));
  }
  return ranked;
}

}  // namespace dualgpuopt::memory
