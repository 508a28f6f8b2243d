#include "fakes/nvml/session.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "fakes/nvml/driver.h"
#include "fakes/nvml/generation.h"
#include "sources/text_file.h"

namespace nvml_fake {
namespace {

constexpr std::size_t kLargestFile = 1U << 20U;
constexpr int kBranchOfReservedInUsed = 510;

const char* environment(const char* name) {
  const auto* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::string load_file(const std::filesystem::path& file) {
  const auto text = dualgpuopt::memory::read_text_file(file, kLargestFile);
  return text ? load_scenario(text->c_str(), file.parent_path()) : text.error().describe();
}

/// At the end of the process, and when the library is unloaded.
__attribute__((destructor)) void end() {
  const Lock lock;
  write_counts();
  delete driver().story;
  driver().story = nullptr;
  driver().ended = true;
}

}  // namespace

std::string load_scenario(const char* toml, const std::filesystem::path& folder) {
  auto scenario = read_scenario(toml, folder);
  if (!scenario) return scenario.error().describe();
  auto* story = new Story(std::move(*scenario), environment("NVML_FAKE_LIVE"));
  delete std::exchange(driver().story, story);
  ++driver().stories;
  driver().time.begin();
  story->stage(driver().state);
  driver().state.v1_without_reserved = kGeneration.branch < kBranchOfReservedInUsed ? 1 : 0;
  return "";
}

void unload_scenario() {
  delete std::exchange(driver().story, nullptr);
  driver().story_file[0] = '\0';
  driver().state.gpus = 0;
  std::memset(driver().state.devices, 0, sizeof(driver().state.devices));
  driver().state.v1_without_reserved = 0;
}

bool load_from_environment() {
  const auto* file = environment("NVML_FAKE_SCENARIO");
  auto& told = driver().story_file;
  const bool given_by_hand = driver().story != nullptr && told[0] == '\0';
  if (file[0] == '\0' || given_by_hand || std::strcmp(file, told) == 0) return true;
  const auto problem = load_file(file);
  if (!problem.empty()) {
    std::fprintf(stderr, "nvml stand-in: scenario %s: %s\n", file, problem.c_str());
    return false;
  }
  std::snprintf(told, sizeof(told), "%s", file);
  return true;
}

void write_counts() {
  const std::string file = environment("NVML_FAKE_CALLS");
  if (file.empty()) return;
  const auto unfinished = file + "." + std::to_string(::getpid());
  auto* out = std::fopen(unfinished.c_str(), "w");
  if (out == nullptr) {
    std::fprintf(stderr, "nvml stand-in: cannot write the counts to %s\n", unfinished.c_str());
    return;
  }
  for (std::size_t i = 0; i < kSymbols.size(); ++i) {
    if (driver().counts[i] != 0) std::fprintf(out, "%s %u\n", std::string(kSymbols[i]).c_str(), driver().counts[i]);
  }
  std::fclose(out);
  if (std::rename(unfinished.c_str(), file.c_str()) != 0) std::perror("nvml stand-in: NVML_FAKE_CALLS");
}

}  // namespace nvml_fake
