#include "recovery/offload_roster.h"

#include <gmock/gmock.h>

#include <stdexcept>
#include <thread>

#include "recovery/gate.h"
#include "recovery/offload_objects.h"

namespace dualgpuopt::memory {
namespace {

using namespace testing;

TEST(OffloadRoster, CallsWhatIsRegisteredAndNothingElse) {
  OffloadRoster roster;
  TestObject object({.name = "it"});
  roster.add(1, object);
  std::string name;
  const auto look = [&](Offloadable& found) -> Result<void> {
    name = found.name();
    return {};
  };
  EXPECT_TRUE(roster.call(1, look));
  EXPECT_EQ(name, "it");
  EXPECT_EQ(roster.call(2, look).error().code(), ErrorCode::NotFound);
  roster.remove(1);
  roster.remove(1);
  EXPECT_EQ(roster.call(1, look).error().code(), ErrorCode::NotFound);
}

TEST(OffloadRoster, MakesAnErrorOfWhateverIsThrown) {
  OffloadRoster roster;
  TestObject object({});
  roster.add(1, object);
  const auto thrown = roster.call(1, [](Offloadable&) -> Result<void> { throw std::runtime_error("no"); });
  EXPECT_EQ(thrown.error().describe(), "no");
  EXPECT_FALSE(roster.call(1, [](Offloadable&) -> Result<void> { throw 1; }));
}

TEST(OffloadRoster, LetsGoOnceNobodyElseIsInside) {
  OffloadRoster roster;
  TestObject object({});
  roster.add(1, object);
  const auto inside = make_gate(), go_on = make_gate();
  bool is_over = false;
  std::jthread caller([&] {
    const auto called = roster.call(1, [&](Offloadable&) -> Result<void> {
      inside->open();
      go_on->wait();
      is_over = true;
      return {};
    });
    EXPECT_TRUE(called);
  });
  inside->wait();
  std::jthread opener([&] { go_on->open(); });
  roster.remove(1);
  EXPECT_TRUE(is_over);
}

TEST(OffloadRoster, MayBeLeftFromWithin) {
  OffloadRoster roster;
  TestObject object({});
  roster.add(1, object);
  const auto leave = [&](Offloadable&) -> Result<void> {
    roster.remove(1);
    return {};
  };
  EXPECT_TRUE(roster.call(1, leave));
  EXPECT_FALSE(roster.call(1, leave));
}

}  // namespace
}  // namespace dualgpuopt::memory
