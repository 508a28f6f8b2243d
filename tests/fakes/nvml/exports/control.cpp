// The tests' side: the state, the scenario, the clock, the counts.
#include "fakes/nvml/driver.h"
#include "fakes/nvml/session.h"

using namespace nvml_fake;

extern "C" {

void nvml_fake_control(void (*change)(NvmlFakeState* state, void* context), void* context) {
  const Lock lock;
  change(&driver().state, context);
  pthread_cond_broadcast(&driver().changed);
}

const char* nvml_fake_load(const char* toml) {
  static char problem[1024];
  const Lock lock;
  if (toml == nullptr) {
    unload_scenario();
    return nullptr;
  }
  const auto error = load_scenario(toml, ".");
  if (!error.empty()) {
    problem[error.copy(problem, sizeof(problem) - 1)] = '\0';
    return problem;
  }
  driver().story_file[0] = '\0';
  pthread_cond_broadcast(&driver().changed);
  return nullptr;
}

void nvml_fake_use_clock(long long (*now_ns)(void* context), void* context) {
  const Lock lock;
  driver().time.use(now_ns, context);
  pthread_cond_broadcast(&driver().changed);
}

unsigned nvml_fake_calls_of(const char* symbol) {
  const Lock lock;
  const auto index = symbol != nullptr ? symbol_index(symbol) : std::nullopt;
  return index ? driver().counts[*index] : 0;
}

}  // extern "C"
