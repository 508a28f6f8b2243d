// What holds for every choice and every course of pressure and relief.
#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <numeric>

#include "recovery/offload_objects.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using namespace testing;

constexpr MonoTime kNow{24h};

std::vector<OffloadItem> some_items() {
  std::vector<OffloadItem> items;
  const auto count = *rc::gen::inRange<OffloadId>(0, 9);
  for (OffloadId id = 1; id <= count; ++id) {
    items.push_back({.id = id,
                     .name = "item",
                     .bytes = *rc::gen::inRange<Bytes>(0, 20),
                     .priority = static_cast<double>(*rc::gen::inRange(0, 3)),
                     .last_use = kNow - *rc::gen::inRange(0, 4) * 1min,
                     .obstacle = *rc::gen::inRange(0, 5) == 0 ? "it may not" : ""});
  }
  return items;
}

const OffloadItem& item_of(const std::vector<OffloadItem>& items, OffloadId id) {
  return *std::ranges::find(items, id, &OffloadItem::id);
}

RC_GTEST_PROP(OffloadChoice, NeverTakesAnObjectThatItDoesNotNeed, ()) {
  const auto items = some_items();
  const auto wanted = *rc::gen::inRange<Bytes>(0, 60);
  const auto choice = choose_to_offload(items, wanted, 1_TiB, kNow);
  Bytes bytes = 0, all = 0;
  for (const auto id : choice.ids) {
    RC_ASSERT(item_of(items, id).obstacle.empty());
    bytes += item_of(items, id).bytes;
  }
  for (const auto& item : items) all += item.obstacle.empty() ? item.bytes : 0;
  RC_ASSERT(bytes == choice.bytes);
  RC_ASSERT(bytes >= std::min(wanted, all));
  for (const auto id : choice.ids) RC_ASSERT(bytes - item_of(items, id).bytes < wanted);
}

RC_GTEST_PROP(OffloadChoice, TakesTheLeastValuableFirst, ()) {
  const auto items = some_items();
  const auto wanted = *rc::gen::inRange<Bytes>(1, 60);
  const auto choice = choose_to_offload(items, wanted, 1_TiB, kNow);
  for (std::size_t i = 1; i < choice.ids.size(); ++i) {
    RC_ASSERT(is_worth_less(item_of(items, choice.ids[i - 1]), item_of(items, choice.ids[i]), kNow));
  }
  if (choice.ids.empty()) return;
  // What is worth less than the last of them and stays could not have taken its place.
  const auto& last = item_of(items, choice.ids.back());
  for (const auto& item : items) {
    const bool stays = std::ranges::find(choice.ids, item.id) == choice.ids.end();
    if (!stays || !item.obstacle.empty() || !is_worth_less(item, last, kNow)) continue;
    RC_ASSERT(choice.bytes - last.bytes + item.bytes < std::max(wanted, last.bytes + item.bytes));
  }
}

RC_GTEST_PROP(OffloadChoice, NeverTakesMoreThanTheHostHasRoomFor, ()) {
  const auto room = *rc::gen::inRange<Bytes>(0, 40);
  RC_ASSERT(choose_to_offload(some_items(), 60, room, kNow).bytes <= room);
}

RC_GTEST_PROP(OffloadChoice, ScoresRiseWithTheOrder, ()) {
  const auto choice = choose_to_offload(some_items(), *rc::gen::inRange<Bytes>(0, 60), 1_TiB, kNow);
  RC_ASSERT(choice.ranked.size() == choice.candidates.size());
  for (std::size_t i = 1; i < choice.candidates.size(); ++i) {
    const auto &before = choice.candidates[i - 1], &after = choice.candidates[i];
    if (after.score) RC_ASSERT(before.score && *before.score > *after.score);
  }
}

/// Objects on one device of 24 GiB, besides a load of its own that a test moves.
struct House {
  explicit House(const OffloadConfig& config) : offloader(clock, config, plenty) {
    const auto count = *rc::gen::inRange(1, 6);
    for (int i = 0; i < count; ++i) {
      const auto bytes = *rc::gen::inRange<Bytes>(1, 5) << 30;
      objects.push_back(std::make_unique<TestObject>(
          TestObject::Traits{.bytes = bytes, .priority = static_cast<double>(*rc::gen::inRange(0, 3))}));
      registrations.push_back(offloader.add(*objects.back()));
    }
  }

  [[nodiscard]] Bytes used() const {
    return std::accumulate(objects.begin(), objects.end(), load,
                           [](Bytes sum, const auto& object) { return sum + object->bytes_on_device(); });
  }
  [[nodiscard]] int moves() const {
    return std::accumulate(objects.begin(), objects.end(), 0,
                           [](int sum, const auto& object) { return sum + object->offloads + object->restores; });
  }
  /// As monitor and ladder do: above the trigger down to the target, else what may come back.
  void step(const OffloadConfig& config) {
    const auto percent = 100.0 * static_cast<double>(used()) / static_cast<double>(kTotal);
    if (percent >= config.trigger_percent) {
      const auto target = kTotal / 4 * 3;
      (void)offloader.offload(request_for(used() - std::min(target, used()), 0, clock->now() + 10s));
    } else {
      (void)offloader.on_state(state_of(used(), clock->now()));
    }
  }
  [[nodiscard]] bool is_consistent() const {
    for (std::size_t i = 0; i < objects.size(); ++i) {
      const auto entry = offloader.find(registrations[i].id());
      const auto expected = objects[i]->is_away ? Residence::Offloaded : Residence::OnDevice;
      if (entry->residence != expected || !entry->problem.empty()) return false;
      if (objects[i]->offloads - objects[i]->restores != (objects[i]->is_away ? 1 : 0)) return false;
    }
    return true;
  }

  std::shared_ptr<VirtualClock> clock = std::make_shared<VirtualClock>();
  Offloader offloader;
  Bytes load = 0;
  std::vector<std::unique_ptr<TestObject>> objects;
  std::vector<OffloadRegistration> registrations;
};

RC_GTEST_PROP(Offloader, EveryObjectIsAtOnePlaceAfterAnyCourse, ()) {
  const OffloadConfig config;
  House house(config);
  const auto steps = *rc::gen::inRange(1, 60);
  for (int i = 0; i < steps; ++i) {
    house.load = *rc::gen::inRange<Bytes>(0, 24) << 30;
    house.clock->advance(std::chrono::seconds(*rc::gen::inRange(0, 200)));
    house.step(config);
    RC_ASSERT(house.is_consistent());
  }
}

RC_GTEST_PROP(Offloader, ARestoreNeverCausesAClimb, ()) {
  const OffloadConfig config;
  House house(config);
  const auto steps = *rc::gen::inRange(1, 60);
  for (int i = 0; i < steps; ++i) {
    house.load = *rc::gen::inRange<Bytes>(0, 24) << 30;
    house.clock->advance(std::chrono::seconds(*rc::gen::inRange(0, 200)));
    const auto before = house.used();
    house.step(config);
    const auto most = static_cast<double>(kTotal) * (config.trigger_percent - config.margin_percent) / 100;
    if (house.used() > before) RC_ASSERT(static_cast<double>(house.used()) <= most);
  }
}

/// Each of its objects stays away at least for the hold-off, and either lasts `soon` once it is back or waits twice as
/// long for the next time.
RC_GTEST_PROP(Offloader, MovesLittleUnderALoadThatSwings, ()) {
  const OffloadConfig config;
  House house(config);
  const auto low = *rc::gen::inRange<Bytes>(0, 6) << 30, high = *rc::gen::inRange<Bytes>(18, 25) << 30;
  const auto half = std::chrono::seconds(*rc::gen::inRange(2, 900));
  while (house.clock->now() < MonoTime(1h)) {
    house.load = house.clock->now().time_since_epoch() / half % 2 == 0 ? high : low;
    house.step(config);
    house.clock->advance(2s);
  }
  constexpr auto kCycle = 5min + 1min;
  constexpr int kDoublings = 6;  // from a minute to an hour
  const int most_of_one = 2 * static_cast<int>(1h / kCycle + kDoublings + 1);
  RC_ASSERT(house.moves() <= most_of_one * static_cast<int>(house.objects.size()));
}

}  // namespace
}  // namespace dualgpuopt::memory
