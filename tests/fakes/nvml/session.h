// What lasts longer than a call: the scenario that is told, and the counts. The caller holds the lock.
#pragma once

#include <filesystem>
#include <string>

namespace nvml_fake {

/// Lets a scenario set the state from now on; what is wrong with it otherwise, and then nothing has changed. Files that
/// it names are looked for in `folder`.
[[nodiscard]] std::string load_scenario(const char* toml, const std::filesystem::path& folder);
/// No GPUs, and no scenario.
void unload_scenario();

/// Loads the file that NVML_FAKE_SCENARIO names, if it is not the one that is told already, and nobody has given a
/// scenario by hand. False, with a word on stderr, if it is no good.
[[nodiscard]] bool load_from_environment();

/// Writes how often each function was called to the file that NVML_FAKE_CALLS names, if it does.
void write_counts();

}  // namespace nvml_fake
