// A machine of the stand-in driver on which an application of this process, a process beside it and others hold memory:
// the driver's numbers fall when something is freed or a process has ended, and not otherwise.
#pragma once

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <vector>

#include "core/format.h"
#include "dualgpuopt/memory/core/mutex.h"
#include "sources/fake_nvml.h"

namespace dualgpuopt::memory::testing {

/// A process that sleeps until it is signalled.
class Sleeper {
 public:
  Sleeper() {
    const char* const words[] = {"sleep", "1000", nullptr};
    if (::posix_spawnp(&pid_, "sleep", nullptr, nullptr, const_cast<char* const*>(words), environ) != 0) {
      throw std::runtime_error("no process can be started");
    }
  }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;
  ~Sleeper() { end(); }

  [[nodiscard]] pid_t pid() const { return pid_; }
  void end() {
    if (has_ended_) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    has_ended_ = true;
  }

 private:
  pid_t pid_ = 0;
  bool has_ended_ = false;
};

/// What is held on one GPU.
struct Held {
  Bytes cache = 0, batch = 0, model = 0;  ///< By this process.
  Bytes neighbour = 0;                    ///< By the process beside it.
  Bytes others = 0;                       ///< By nobody that the driver lists.

  [[nodiscard]] Bytes own() const { return cache + batch + model; }
};

/// Each GPU has 24 GiB. Thread-safe.
class DriverMachine {
 public:
  static constexpr Bytes kTotalOfGpu = 24_GiB;

  explicit DriverMachine(std::vector<Held> gpus) : gpus_(std::move(gpus)) { publish(); }

  [[nodiscard]] const std::filesystem::path& driver() const { return fake_.path(); }
  [[nodiscard]] Sleeper& neighbour() { return neighbour_; }

  template <typename Change>
  void change(int gpu, Change change) {
    const MutexLock lock(mutex_);
    change(gpus_.at(static_cast<std::size_t>(gpu)));
    publish();
  }

 private:
  void publish() const {
    std::string scenario;
    for (const auto& held : gpus_) scenario += scenario_of(held);
    fake_.tell(scenario);
  }

  [[nodiscard]] std::string scenario_of(const Held& held) const {
    constexpr auto kStep = R"(motion = [{{kind = "step", amount = "{}B"}}])";
    const auto step = [&](Bytes amount) { return format_text(fmt::runtime(kStep), amount); };
    auto text = format_text("[[gpu]]\ntotal = \"{}B\"\nreserved = 0\n{}\n", kTotalOfGpu, step(held.others));
    text += format_text("[[gpu.process]]\npid = {}\n{}\n", ::getpid(), step(held.own()));
    if (held.neighbour == 0) return text;
    return text + format_text("[[gpu.process]]\npid = {}\nreal = true\n{}\n", neighbour_.pid(), step(held.neighbour));
  }

  FakeNvml fake_{{}, NvmlGeneration::R550};
  Sleeper neighbour_;
  Mutex mutex_;
  std::vector<Held> gpus_;
};

}  // namespace dualgpuopt::memory::testing
