#include "sources/patient_lookups.h"

#include <gtest/gtest.h>

#include <atomic>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;

TEST(PatientLookups, GiveTheAnswer) {
  PatientLookups<int> lookups(1min);
  EXPECT_EQ(lookups.run(1, [] { return 42; }), 42);
  EXPECT_EQ(lookups.run(1, [] { return 43; }), 43);
}

TEST(PatientLookups, LeaveOneBehindThatDoesNotComeBack) {
  auto release = std::make_shared<std::promise<void>>();
  auto came_back = std::make_shared<std::promise<void>>();
  auto released = std::make_shared<std::future<void>>(release->get_future());
  PatientLookups<int> lookups(10ms);
  EXPECT_FALSE(lookups.run(1, [released, came_back] {
    released->wait();
    came_back->set_value_at_thread_exit();
    return 1;
  }));
  std::atomic<bool> asked = false;
  EXPECT_FALSE(lookups.run(1, [&] {
    asked = true;
    return 2;
  }));
  EXPECT_FALSE(asked) << "no second thread is lost to it";
  EXPECT_EQ(lookups.run(2, [] { return 3; }), 3) << "others are asked on";
  release->set_value();
  came_back->get_future().wait();
  EXPECT_EQ(lookups.run(1, [] { return 4; }), 4) << "its old answer is forgotten";
}

}  // namespace
}  // namespace dualgpuopt::memory
