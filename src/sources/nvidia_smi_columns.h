// Which column of an nvidia-smi CSV holds what.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "dualgpuopt/memory/core/units.h"

namespace dualgpuopt::memory {

/// The columns that a recording needs or can use, by their names in `nvidia-smi --help-query-gpu`.
enum class NvidiaSmiColumn { Timestamp, Index, Name, Uuid, PciBusId, Used, Total, Free, Reserved };
inline constexpr std::size_t kNvidiaSmiColumns = 9;

/// Where the columns are in the rows that follow.
class NvidiaSmiColumns {
 public:
  /// From a header such as `timestamp, index, memory.used [MiB]`: any order, units in brackets or none, further columns
  /// passed over. Empty unless the line names memory.used.
  [[nodiscard]] static std::optional<NvidiaSmiColumns> from_header(const std::vector<std::string_view>& fields);

  /// For `--format=csv,noheader`, from the first row: `timestamp, index, used, total`; with three fields, the units
  /// tell whether index or total is missing; with two, `timestamp, used`. Empty where the row leaves it open.
  [[nodiscard]] static std::optional<NvidiaSmiColumns> from_first_row(const std::vector<std::string_view>& fields);

  [[nodiscard]] bool has(NvidiaSmiColumn column) const { return place(column).has_value(); }
  /// The column's text in a row of `width()` fields; empty where the recording has no such column.
  [[nodiscard]] std::string_view in(const std::vector<std::string_view>& fields, NvidiaSmiColumn column) const;
  /// Fields in a row.
  [[nodiscard]] std::size_t width() const { return width_; }
  /// Bytes that one counts for in a memory column where the row itself names no unit.
  [[nodiscard]] Bytes unit(NvidiaSmiColumn column) const { return units_[static_cast<std::size_t>(column)]; }

 private:
  [[nodiscard]] const std::optional<std::size_t>& place(NvidiaSmiColumn column) const {
    return places_[static_cast<std::size_t>(column)];
  }
  void set(NvidiaSmiColumn column, std::size_t place, Bytes unit = 1_MiB);

  std::array<std::optional<std::size_t>, kNvidiaSmiColumns> places_;
  std::array<Bytes, kNvidiaSmiColumns> units_{};
  std::size_t width_ = 0;
};

/// The bytes in "MiB" and the like; old drivers wrote MB and meant MiB. Empty for another unit.
[[nodiscard]] std::optional<Bytes> nvidia_smi_unit(std::string_view name);

/// An amount of memory as nvidia-smi wrote it: bytes, or why there are none.
struct NvidiaSmiAmount {
  std::optional<Bytes> bytes;
  std::string_view why_not;  ///< "[N/A]", "[GPU is lost]", …: the driver's answer as written.
};

/// Reads "1234 MiB", "1234" (counted in `unit`) or an answer without a number. Empty: it is neither.
[[nodiscard]] std::optional<NvidiaSmiAmount> parse_nvidia_smi_amount(std::string_view text, Bytes unit);

/// "[N/A]", "[Not Supported]", "ERR!": what nvidia-smi writes where it has no value.
[[nodiscard]] bool is_nvidia_smi_refusal(std::string_view text);

}  // namespace dualgpuopt::memory
