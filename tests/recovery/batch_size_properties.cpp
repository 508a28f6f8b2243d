// What holds for every batch size, whatever signals come: the machine is driven with random ones.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "dualgpuopt/memory/recovery/batch_size_controller.h"

namespace dualgpuopt::memory {
namespace {

BatchSizeConfig some_config() {
  BatchSizeConfig config;
  config.floor = *rc::gen::inRange<std::uint64_t>(1, 20);
  config.ceiling = config.floor + *rc::gen::inRange<std::uint64_t>(0, 200);
  config.step = *rc::gen::inRange<std::uint64_t>(0, 50);
  config.decrease = *rc::gen::inRange(1, 100) / 100.0;
  config.patience = *rc::gen::inRange(0U, 10U);
  config.hold = std::chrono::seconds(*rc::gen::inRange(0, 60));
  config.settle = std::chrono::seconds(*rc::gen::inRange(0, 10));
  config.retry = std::chrono::seconds(*rc::gen::inRange(0, 600));
  return config;
}

std::optional<Forecast> some_forecast() {
  if (*rc::gen::inRange(0, 4) == 0) return std::nullopt;
  Forecast forecast;
  if (*rc::gen::arbitrary<bool>()) forecast.time_to_oom = Seconds(*rc::gen::inRange(0, 100));
  forecast.risk = *rc::gen::inRange(0, 100) / 100.0;
  return forecast;
}

Level some_level() {
  return *rc::gen::element(Level::Normal, Level::Normal, Level::Warning, Level::Critical, Level::Emergency);
}

void one_signal(BatchSizeController& controller, MonoTime now) {
  const auto gpu = *rc::gen::inRange(0, 2);
  const auto chunk = *rc::gen::inRange<std::uint64_t>(1, controller.size() + 1);
  switch (*rc::gen::inRange(0, 8)) {
    case 0: (void)controller.on_out_of_memory(chunk, now); return;
    case 1: (void)controller.on_request(now); return;
    case 2: controller.on_level(gpu, some_level(), now); return;
    case 3: controller.on_forecast(gpu, some_forecast(), now); return;
    case 4: controller.on_done(chunk, now); return;
    default: controller.on_done(controller.size(), now); return;
  }
}

RC_GTEST_PROP(BatchSizeProperty, StaysBetweenFloorAndCeiling, ()) {
  const auto config = some_config();
  BatchSizeController controller(config);
  MonoTime now{};
  for (int i = 0; i < 200; ++i) {
    now += std::chrono::milliseconds(*rc::gen::inRange(0, 20000));
    one_signal(controller, now);
    RC_ASSERT(controller.size() >= config.floor);
    RC_ASSERT(controller.size() <= config.ceiling);
  }
}

RC_GTEST_PROP(BatchSizeProperty, ShrinksAtEveryOutOfMemoryAboveTheFloor, ()) {
  const auto config = some_config();
  BatchSizeController controller(config);
  MonoTime now{};
  for (int i = 0; i < 50; ++i) {
    now += std::chrono::milliseconds(*rc::gen::inRange(0, 20000));
    one_signal(controller, now);
    const auto before = controller.size();
    const auto can_be_less = controller.on_out_of_memory(before, now);
    RC_ASSERT(can_be_less == (before > config.floor));
    RC_ASSERT((controller.size() < before) == can_be_less);
  }
}

RC_GTEST_PROP(BatchSizeProperty, GrowsOnlyByAStepInCalmAfterTheHold, ()) {
  const auto config = some_config();
  BatchSizeController controller(config);
  const auto step = controller.config().step;
  MonoTime now{};
  std::optional<MonoTime> shrank;
  for (int i = 0; i < 200; ++i) {
    now += std::chrono::milliseconds(*rc::gen::inRange(0, 20000));
    const auto before = controller.size();
    one_signal(controller, now);
    if (controller.size() < before) shrank = now;
    if (controller.size() <= before) continue;
    RC_ASSERT(controller.last_change()->cause == BatchSizeCause::Calm);
    RC_ASSERT(controller.size() - before <= step);
    RC_ASSERT(!shrank || now - *shrank >= config.hold);
  }
}

/// A device in which `fits` elements fit and no more, for an hour of one chunk a second.
RC_GTEST_PROP(BatchSizeProperty, FindsWhatFitsAndRunsOutOfMemoryRarely, ()) {
  BatchSizeConfig config{.ceiling = *rc::gen::inRange<std::uint64_t>(1, 512)};
  const auto fits = *rc::gen::inRange<std::uint64_t>(1, config.ceiling + 1);
  BatchSizeController controller(config);
  MonoTime now{};
  int failures = 0;
  for (int second = 0; second < 3600; ++second) {
    now += std::chrono::seconds(1);
    const auto chunk = controller.size();
    if (chunk <= fits) {
      controller.on_done(chunk, now);
      continue;
    }
    ++failures;
    RC_ASSERT(controller.on_out_of_memory(chunk, now));
  }
  // Nine halvings from 512, as many failures of what lies halfway, and one each time that a size is due again.
  RC_ASSERT(failures <= 9 + 9 + 2);
  RC_ASSERT(controller.size() <= config.ceiling);
  RC_ASSERT(controller.size() * 2 >= fits);
}

}  // namespace
}  // namespace dualgpuopt::memory
