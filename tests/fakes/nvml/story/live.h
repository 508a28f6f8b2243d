// The live control: a file whose words override the scenario while it is there.
#pragma once

#include <sys/stat.h>

#include "fakes/nvml/story/faults.h"
#include "fakes/nvml/story/part_use.h"

namespace nvml_fake {

class LiveControl {
 public:
  explicit LiveControl(std::filesystem::path file) : file_(std::move(file)) {}

  /// Reads the file again if it is another than before. One that cannot be read leaves the last good one in force, and
  /// is complained of on stderr once.
  void look(const Scenario& scenario, Duration now);

  [[nodiscard]] const PartOverride& overrides_of(const Target& part) const;
  [[nodiscard]] Faults& faults() { return faults_; }
  [[nodiscard]] const Faults& faults() const { return faults_; }
  /// How often something else was read.
  [[nodiscard]] unsigned version() const { return version_; }

 private:
  /// What changes when somebody writes or replaces the file; all zero where there is none.
  struct Signature {
    ino_t inode = 0;
    off_t size = 0;
    std::int64_t modified_ns = 0;
    bool operator==(const Signature&) const = default;
  };
  using Key = std::pair<unsigned, std::optional<unsigned>>;

  [[nodiscard]] Signature signature() const;
  [[nodiscard]] std::optional<dualgpuopt::memory::Error> read(const Scenario& scenario, Duration now);

  std::filesystem::path file_;
  Signature seen_;
  std::map<Key, PartOverride> overrides_;
  PartOverride untouched_;
  Faults faults_;
  unsigned version_ = 0;
};

}  // namespace nvml_fake
