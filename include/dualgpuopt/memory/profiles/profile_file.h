// Profiles as TOML, so that what was learned or estimated once is there the next time.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dualgpuopt/memory/core/error.h"
#include "dualgpuopt/memory/predictor/model_profile.h"

namespace dualgpuopt::memory {

/// A profile as a file has it. The last two are of the Python class MemoryProfile; empty: as that class has them.
struct StoredProfile {
  ModelProfile profile;
  std::optional<double> growth_rate = {};
  std::optional<double> recovery_buffer = {};

  friend bool operator==(const StoredProfile&, const StoredProfile&) = default;
};

/// What is more is an error.
struct ProfileFileLimits {
  std::size_t bytes = std::size_t{16} << 20;
  std::size_t profiles = 10'000;
};

/// A text of such tables; see docs/profiles.md:
///
///     [[profile]]
///     name = "mine"
///     base = "7GiB"
///     per_batch = "50MiB"
///     per_token = 3000
///     growth_rate = 1.05
///     recovery_buffer = 0.85
///
/// The first four must be there. Any other key, a name that is there twice, and a growth or buffer that is not finite
/// are errors. Error: ParseFailed with line, column, key and what was expected.
[[nodiscard]] Result<std::vector<StoredProfile>> parse_profiles(std::string_view toml,
                                                                const ProfileFileLimits& limits = {});

/// parse_profiles of a file; errors carry its name. Errors besides: NotFound, PermissionDenied, Io.
[[nodiscard]] Result<std::vector<StoredProfile>> load_profiles(const std::filesystem::path& file,
                                                               const ProfileFileLimits& limits = {});

/// What parse_profiles reads back as the same, to the byte. Sizes that are whole KiB, MiB or GiB are written so, others
/// in bytes. InvalidArgument, naming the profile, for what a file cannot hold: a name that is empty, no UTF-8 or there
/// twice, a size of 8 EiB or more, a number that is not finite, and more than the limits.
[[nodiscard]] Result<std::string> format_profiles(const std::vector<StoredProfile>& profiles,
                                                  const ProfileFileLimits& limits = {});

/// Writes the text beside the file, and puts it in its place once it is on the disk: whatever happens, the file is
/// there as it was or as it should be. Links are followed. What is no file, as a terminal, is written to directly.
/// Errors as of format_profiles; PermissionDenied, or Io with the system's words; they carry the file's name.
[[nodiscard]] Result<void> save_profiles(const std::filesystem::path& file, const std::vector<StoredProfile>& profiles);

}  // namespace dualgpuopt::memory
