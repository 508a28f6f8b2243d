#include "forecast/workloads.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

#include "core/format.h"

namespace dualgpuopt::memory::forecast_benchmark {
namespace {

constexpr double kMiB = 0x1p20;
constexpr double kGiB = 0x1p30;
constexpr double kCapacity = 24 * kGiB;
constexpr double kSeconds = 1800;
constexpr double kDownSeconds = 60;
constexpr double kIdle = 0.4 * kGiB;

/// Numbers from 0 to 1; made by hand, since the standard's distributions differ from library to library.
class Chance {
 public:
  explicit Chance(std::uint64_t seed) : random_(seed) {}
  double operator()() { return static_cast<double>(random_() >> 11) * 0x1p-53; }
  /// A waiting time of this mean.
  double wait(double mean) { return -mean * std::log(1 - (*this)()); }

 private:
  std::mt19937_64 random_;
};

/// What a job has in use, `seconds` after it began; `run` counts its restarts.
using Job = std::function<double(double seconds, int run)>;

/// Runs a job and restarts it when memory runs out.
Series play(const std::string& name, const std::string& shape, const Job& job) {
  Series series;
  series.file = name;
  series.repository = shape;  // what is alike is drawn together
  series.shape = shape;
  series.capacity = kCapacity;
  double begun = 0;
  double down_until = 0;
  int run = 0;
  for (double time = 0; time < kSeconds; ++time) {
    double used = time < down_until ? kIdle : std::max(0.0, job(time - begun, run));
    if (used >= kCapacity) {
      used = kCapacity;
      down_until = time + kDownSeconds;
      begun = down_until;
      ++run;
    }
    series.samples.push_back({time, std::floor(used)});
  }
  return series;
}

void add_leaks(std::vector<Series>& all, Chance& chance) {
  for (double mib_an_hour = 10; mib_an_hour < 4e6; mib_an_hour *= 10) {
    const double slope = mib_an_hour * kMiB / 3600;
    const double begin = std::max(2 * kGiB, kCapacity - slope * 1500);
    const double noise = std::min(100 * kMiB, slope * 120);
    all.push_back(play(format_text("leak of {:g} MiB/h", mib_an_hour), "leak",
                       [=, &chance](double t, int) { return begin + slope * t - noise * chance(); }));
  }
}

void add_loads(std::vector<Series>& all) {
  for (const double total : {0.5, 0.7, 0.9, 1.1, 1.3}) {
    for (const double pause : {2.0, 10.0, 30.0}) {
      all.push_back(
          play(format_text("load of {:g} of the GPU, a shard each {:g} s", total, pause), "load", [=](double t, int) {
            const double shards = std::min(16.0, std::floor(std::max(0.0, t - 100) / pause));
            return kIdle + total * kCapacity * shards / 16;
          }));
    }
  }
}

void add_preallocations(std::vector<Series>& all, Chance& chance) {
  for (const double share : {0.75, 0.9}) {
    all.push_back(play(format_text("preallocation of {:g}", share), "preallocation", [=, &chance](double t, int) {
      return t < 100 ? kIdle : share * kCapacity + 20 * kMiB * chance();
    }));
  }
}

void add_training(std::vector<Series>& all, Chance& chance) {
  for (const double growth : {0.0, 8 * kMiB, 32 * kMiB}) {  // of the peak, a step
    for (const double period : {4.0, 15.0}) {
      all.push_back(play(format_text("training, a step each {:g} s, peak grows by {:g} MiB", period, growth / kMiB),
                         "training", [=, &chance](double t, int) {
                           const double step = std::floor(t / period);
                           const double within = t / period - step;
                           return 6 * kGiB + (8 * kGiB + growth * step * period / 4) * within + 50 * kMiB * chance();
                         }));
    }
  }
}

/// Requests in flight hold memory; an arrival each `gap` seconds on the average, answered in 30 s on the average.
void add_serving(std::vector<Series>& all, std::uint64_t seed) {
  for (const double gap : {3.0, 1.6}) {
    auto chance = std::make_shared<Chance>(seed + static_cast<std::uint64_t>(gap * 10));
    auto ends = std::make_shared<std::vector<double>>();
    auto next = std::make_shared<double>(0);
    auto last_run = std::make_shared<int>(0);
    all.push_back(play(format_text("serving, a request each {:g} s", gap), "serving", [=](double t, int run) {
      if (run != *last_run) {
        ends->clear();
        *next = 0;
        *last_run = run;
      }
      while (*next <= t) {
        ends->push_back(*next + chance->wait(30));
        *next += chance->wait(gap);
      }
      std::erase_if(*ends, [&](double end) { return end < t; });
      return 8 * kGiB + 0.55 * kGiB * static_cast<double>(ends->size());
    }));
  }
}

void add_evaluations(std::vector<Series>& all, Chance& chance) {
  for (const bool grows : {false, true}) {
    all.push_back(play(grows ? "evaluation, too high in the fourth cycle" : "evaluation, always the same", "evaluation",
                       [=, &chance](double t, int) {
                         const double cycle = std::floor(t / 300);
                         const double base = 12 * kGiB + 50 * kMiB * chance();
                         if (t - cycle * 300 < 270) return base;
                         return base + (grows ? 4.2 * (cycle + 1) / 4 * 3 : 8) * kGiB;
                       }));
  }
}

void add_processes(std::vector<Series>& all) {
  for (const double second : {6.0, 16.0}) {
    all.push_back(play(format_text("a process of {:g} GiB beside one of 10", second), "processes", [=](double t, int) {
      const double loaded = std::clamp((std::fmod(t, 600) - 300) / 60, 0.0, 1.0);
      return kIdle + 10 * kGiB + second * kGiB * std::floor(loaded * 12) / 12;
    }));
  }
}

void add_fragmentation(std::vector<Series>& all, std::uint64_t seed) {
  for (const double plateau : {0.8, 0.97}) {
    auto chance = std::make_shared<Chance>(seed + static_cast<std::uint64_t>(plateau * 100));
    auto used = std::make_shared<double>(8 * kGiB);
    all.push_back(play(format_text("fragmentation up to {:g}", plateau), "fragmentation", [=](double t, int) {
      const bool takes = (*chance)() < 0.2 * std::exp(-t / 300);
      const double segment = 2 * kMiB * std::exp2(9 * (*chance)());
      if (takes) *used = std::min(plateau * kCapacity, *used + segment);
      return *used;
    }));
  }
}

}  // namespace

std::vector<Series> made_workloads(std::uint64_t seed) {
  std::vector<Series> all;
  Chance chance(seed);
  add_leaks(all, chance);
  add_loads(all);
  add_preallocations(all, chance);
  add_training(all, chance);
  add_serving(all, seed);
  add_evaluations(all, chance);
  add_processes(all);
  add_fragmentation(all, seed);
  return all;
}

}  // namespace dualgpuopt::memory::forecast_benchmark
