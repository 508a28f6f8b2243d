#include "sources/nvidia_smi_columns.h"

#include <algorithm>
#include <limits>

#include "sources/trace_lines.h"
#include "sources/wall_time.h"

namespace dualgpuopt::memory {
namespace {

using Column = NvidiaSmiColumn;

struct ColumnName {
  std::string_view name;
  Column column;
};

constexpr std::array kColumnNames{
    ColumnName{"timestamp", Column::Timestamp}, ColumnName{"index", Column::Index},
    ColumnName{"name", Column::Name},           ColumnName{"gpu_name", Column::Name},
    ColumnName{"uuid", Column::Uuid},           ColumnName{"gpu_uuid", Column::Uuid},
    ColumnName{"pci.bus_id", Column::PciBusId}, ColumnName{"gpu_bus_id", Column::PciBusId},
    ColumnName{"memory.used", Column::Used},    ColumnName{"memory.total", Column::Total},
    ColumnName{"memory.free", Column::Free},    ColumnName{"memory.reserved", Column::Reserved},
};

constexpr std::array<std::string_view, 5> kBareRefusals{"N/A", "ERR!", "Not Supported", "Unknown Error", "Not Found"};

/// "memory.used [MiB]" as its name and its unit; the unit is empty where the header has none.
struct HeaderField {
  std::string_view name;
  std::string_view unit;
};

HeaderField cut_header_field(std::string_view field) {
  const auto bracket = field.find('[');
  if (bracket == std::string_view::npos || field.back() != ']') return {field, {}};
  return {trimmed(field.substr(0, bracket)), trimmed(field.substr(bracket + 1, field.size() - bracket - 2))};
}

bool starts_with_digit(std::string_view text) { return !text.empty() && text.front() >= '0' && text.front() <= '9'; }

/// Whether a field can only be memory: a number with its unit, or a refusal.
bool is_plainly_memory(std::string_view field) {
  return is_nvidia_smi_refusal(field) || (starts_with_digit(field) && field.back() == 'B');
}

}  // namespace

void NvidiaSmiColumns::set(Column column, std::size_t place, Bytes unit) {
  const auto index = static_cast<std::size_t>(column);
  if (places_[index]) return;
  places_[index] = place;
  units_[index] = unit;
}

std::optional<NvidiaSmiColumns> NvidiaSmiColumns::from_header(const std::vector<std::string_view>& fields) {
  NvidiaSmiColumns columns;
  columns.width_ = fields.size();
  for (std::size_t place = 0; place < fields.size(); ++place) {
    const auto [name, unit] = cut_header_field(fields[place]);
    const auto* known = std::find_if(kColumnNames.begin(), kColumnNames.end(),
                                     [&, wanted = name](const ColumnName& column) { return column.name == wanted; });
    if (known == kColumnNames.end()) continue;
    columns.set(known->column, place, nvidia_smi_unit(unit).value_or(1_MiB));
  }
  return columns.has(Column::Used) ? std::optional(columns) : std::nullopt;
}

std::optional<NvidiaSmiColumns> NvidiaSmiColumns::from_first_row(const std::vector<std::string_view>& fields) {
  if (fields.size() < 2 || fields.size() > 4 || !parse_wall_time(fields[0])) return std::nullopt;
  NvidiaSmiColumns columns;
  columns.width_ = fields.size();
  columns.set(Column::Timestamp, 0);
  const bool with_index = fields.size() == 4 || (fields.size() == 3 && !is_plainly_memory(fields[1]));
  const std::size_t used = with_index ? 2 : 1;
  if (fields.size() == 3 && with_index && !is_plainly_memory(fields[2])) return std::nullopt;
  if (with_index) columns.set(Column::Index, 1);
  columns.set(Column::Used, used);
  if (used + 1 < fields.size()) columns.set(Column::Total, used + 1);
  return columns;
}

std::string_view NvidiaSmiColumns::in(const std::vector<std::string_view>& fields, Column column) const {
  const auto& where = place(column);
  return where ? fields[*where] : std::string_view();
}

std::optional<Bytes> nvidia_smi_unit(std::string_view name) {
  if (name == "MiB" || name == "MB") return 1_MiB;
  if (name == "KiB") return 1_KiB;
  if (name == "GiB") return 1_GiB;
  if (name == "B") return 1_B;
  return std::nullopt;
}

std::optional<NvidiaSmiAmount> parse_nvidia_smi_amount(std::string_view text, Bytes unit) {
  if (is_nvidia_smi_refusal(text)) return NvidiaSmiAmount{std::nullopt, text};
  const auto digits_end = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_whole_number(text.substr(0, digits_end));
  const auto name = trimmed(text.substr(digits_end));
  const auto factor = name.empty() ? std::optional(unit) : nvidia_smi_unit(name);
  constexpr auto most = static_cast<Bytes>(std::numeric_limits<SignedBytes>::max());
  if (!number || !factor || *number > most / *factor) return std::nullopt;
  return NvidiaSmiAmount{*number * *factor, {}};
}

bool is_nvidia_smi_refusal(std::string_view text) {
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') return true;
  return std::find(kBareRefusals.begin(), kBareRefusals.end(), text) != kBareRefusals.end();
}

}  // namespace dualgpuopt::memory
