#include "dualgpuopt/memory/recovery/offload_choice.h"

#include <algorithm>
#include <ranges>
#include <tuple>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

using Minutes = std::chrono::minutes;

/// Objects that work together are used within moments of each other: to the minute they are alike, and size decides.
Minutes idle_minutes(const OffloadItem& item, MonoTime now) {
  return std::chrono::floor<Minutes>(std::max(now - item.last_use, Duration::zero()));
}

std::string worth_of(const OffloadItem& item, MonoTime now) {
  return format_text("priority {:g}, unused for {} min", item.priority, idle_minutes(item, now).count());
}

/// Gives chosen items up again where the rest suffices, from the most valuable on.
void leave_out_needless(std::vector<const OffloadItem*>& chosen, Bytes& bytes, Bytes bytes_to_free) {
  for (auto& item : std::views::reverse(chosen)) {
    if (bytes - item->bytes < bytes_to_free) continue;
    bytes -= item->bytes;
    item = nullptr;
  }
  std::erase(chosen, nullptr);
}

/// Gives those that the host has no room for an obstacle.
std::vector<const OffloadItem*> take_until_enough(std::vector<OffloadItem>& items, Bytes bytes_to_free, Bytes host_room,
                                                  OffloadChoice& choice) {
  std::vector<const OffloadItem*> chosen;
  for (auto& item : items) {
    if (!item.obstacle.empty() || choice.bytes >= bytes_to_free) continue;
    if (item.bytes > host_room - choice.bytes) {
      choice.host_is_short = true;
      item.obstacle = format_text("the host has room for {} more only", format_bytes(host_room - choice.bytes));
      continue;
    }
    chosen.push_back(&item);
    choice.bytes += item.bytes;
  }
  return chosen;
}

Candidate candidate_of(const OffloadItem& item, std::size_t after, MonoTime now) {
  if (!item.obstacle.empty()) return {item.name, item.bytes, std::nullopt, false, item.obstacle};
  return {item.name, item.bytes, static_cast<double>(after), false, worth_of(item, now)};
}

void describe_candidates(OffloadChoice& choice, const std::vector<OffloadItem>& items, MonoTime now) {
  auto after = static_cast<std::size_t>(std::ranges::count(items, "", &OffloadItem::obstacle));
  for (const bool may_be_chosen : {true, false}) {
    for (const auto& item : items) {
      if (item.obstacle.empty() != may_be_chosen) continue;
      choice.ranked.push_back(item.id);
      choice.candidates.push_back(candidate_of(item, may_be_chosen ? --after : 0, now));
      choice.candidates.back().chosen = std::ranges::find(choice.ids, item.id) != choice.ids.end();
    }
  }
}

}  // namespace

bool is_worth_less(const OffloadItem& one, const OffloadItem& other, MonoTime now) {
  // What is "more" comes second, so that everything compares upwards.
  return std::tuple(one.priority, idle_minutes(other, now), other.bytes, one.id) <
         std::tuple(other.priority, idle_minutes(one, now), one.bytes, other.id);
}

OffloadChoice choose_to_offload(std::vector<OffloadItem> items, Bytes bytes_to_free, Bytes host_room, MonoTime now) {
  std::ranges::sort(items, [now](const auto& one, const auto& other) { return is_worth_less(one, other, now); });
  for (auto& item : items) {
    if (item.bytes == 0 && item.obstacle.empty()) item.obstacle = "it holds nothing on the device";
  }
  OffloadChoice choice;
  auto chosen = take_until_enough(items, bytes_to_free, host_room, choice);
  leave_out_needless(chosen, choice.bytes, bytes_to_free);
  for (const auto* item : chosen) choice.ids.push_back(item->id);
  describe_candidates(choice, items, now);
  return choice;
}

}  // namespace dualgpuopt::memory
