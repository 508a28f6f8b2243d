#include "sources/trace_nvidia_smi.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "core/format.h"
#include "sources/nvidia_smi_columns.h"
#include "sources/trace_builder.h"
#include "sources/wall_time.h"

namespace dualgpuopt::memory {
namespace {

using Column = NvidiaSmiColumn;
using Fields = std::vector<std::string_view>;

constexpr std::string_view kExpectedAmount = "a whole number with MiB, or an answer such as [N/A]";

/// How the lines begin that nvidia-smi writes between the rows when a GPU or the driver is gone.
constexpr std::array<std::string_view, 3> kMessages{"Unable to determine the device handle",
                                                    "Failed to initialize NVML", "No devices were found"};

bool is_message(std::string_view line) {
  return std::any_of(kMessages.begin(), kMessages.end(), [&](auto message) { return line.starts_with(message); });
}

/// Reads line by line: what the rows mean depends on the last header.
class NvidiaSmiReader {
 public:
  Result<void> read_line(const TraceLine& line, TraceBuilder& builder);

 private:
  Result<void> take_columns(const NvidiaSmiColumns& columns, const TraceLine& line);
  Result<void> read_row(const TraceLine& line, TraceBuilder& builder);
  Result<int> gpu_of_row(const TraceLine& line);
  int gpu_of_identity(std::string_view identity);
  [[nodiscard]] std::string_view identity_of_row() const;
  [[nodiscard]] Result<NvidiaSmiAmount> amount(const TraceLine& line, Column column, std::string_view name) const;
  [[nodiscard]] Result<Reading> reading_of_row(const TraceLine& line, int gpu, WallTime time) const;
  [[nodiscard]] Result<MemoryUse> memory_of_row(const TraceLine& line, Bytes used) const;
  [[nodiscard]] Device device_of_row(int gpu) const;
  [[nodiscard]] std::string_view field(Column column) const { return columns_->in(fields_, column); }

  Fields fields_;
  std::optional<NvidiaSmiColumns> columns_;
  std::optional<WallTime> last_time_;
  std::map<std::string, int, std::less<>> gpus_;  // by UUID or PCI address, where rows have no index
};

Result<void> NvidiaSmiReader::read_line(const TraceLine& line, TraceBuilder& builder) {
  if (is_message(line.text)) {
    builder.tolerate("a message of nvidia-smi stands between the rows", line);
    return {};
  }
  split_fields(line.text, fields_);
  if (const auto header = NvidiaSmiColumns::from_header(fields_)) return take_columns(*header, line);
  if (!columns_) {
    columns_ = NvidiaSmiColumns::from_first_row(fields_);
    if (!columns_) {
      return refuse(line, line.text, "a row without header",
                    "timestamp, index, used and total, or a header that names the columns");
    }
  }
  return read_row(line, builder);
}

Result<void> NvidiaSmiReader::take_columns(const NvidiaSmiColumns& columns, const TraceLine& line) {
  if (!columns.has(Column::Timestamp)) {
    return refuse(line, line.text, "a header", "a timestamp column, as in --query-gpu=timestamp,index,memory.used");
  }
  columns_ = columns;
  return {};
}

Result<void> NvidiaSmiReader::read_row(const TraceLine& line, TraceBuilder& builder) {
  if (fields_.size() != columns_->width()) {
    return refuse(line, line.text, "a row", format_text("{} fields, not {}", columns_->width(), fields_.size()));
  }
  const auto time = parse_wall_time(field(Column::Timestamp));
  if (!time) return refuse(line, field(Column::Timestamp), "a timestamp", "one like 2024/05/06 15:45:56.123");
  if (is_nvidia_smi_refusal(identity_of_row())) {
    builder.tolerate("a row does not say which GPU it is of, and is left out", line);
    return {};
  }
  const auto gpu = gpu_of_row(line);
  if (!gpu) return fail(gpu.error());
  if (identity_of_row().empty() && std::exchange(last_time_, time) == time) {
    builder.tolerate("rows with no index share a time, and are taken as one GPU", line);
  }
  auto reading = reading_of_row(line, *gpu, *time);
  if (!reading) return fail(std::move(reading.error()));
  if (!builder.describes(*gpu)) builder.describe(device_of_row(*gpu), line);
  return builder.add(std::move(*reading), line);
}

Result<int> NvidiaSmiReader::gpu_of_row(const TraceLine& line) {
  if (!columns_->has(Column::Index)) {
    const int gpu = gpu_of_identity(identity_of_row());
    if (gpu >= kGpuLimit) return refuse(line, line.text, "a row", "at most 1024 different GPUs");
    return gpu;
  }
  const auto gpu = parse_gpu_index(field(Column::Index));
  if (!gpu) return refuse(line, field(Column::Index), "the index", kExpectedGpu);
  return *gpu;
}

/// What tells the row's GPU from others; empty where the recording has no such column.
std::string_view NvidiaSmiReader::identity_of_row() const {
  for (const auto column : {Column::Index, Column::Uuid, Column::PciBusId}) {
    if (columns_->has(column)) return field(column);
  }
  return {};
}

/// Without any identity column there is a single GPU; else GPUs are counted in the order in which they appear.
int NvidiaSmiReader::gpu_of_identity(std::string_view identity) {
  const auto known = gpus_.find(identity);
  if (known != gpus_.end()) return known->second;
  const auto gpu = static_cast<int>(gpus_.size());
  if (gpu < kGpuLimit) gpus_.emplace(identity, gpu);
  return gpu;
}

Result<NvidiaSmiAmount> NvidiaSmiReader::amount(const TraceLine& line, Column column, std::string_view name) const {
  if (!columns_->has(column)) return NvidiaSmiAmount{};
  const auto parsed = parse_nvidia_smi_amount(field(column), columns_->unit(column));
  if (!parsed) return refuse(line, field(column), name, kExpectedAmount);
  return *parsed;
}

Result<Reading> NvidiaSmiReader::reading_of_row(const TraceLine& line, int gpu, WallTime time) const {
  const TimeStamp stamp{MonoTime(time.time_since_epoch()), time};
  const auto used = amount(line, Column::Used, "memory.used");
  if (!used) return fail(used.error());
  if (!used->bytes) {
    return Reading::unavailable(gpu, stamp, Provenance::Replayed,
                                format_text("nvidia-smi answered {}", used->why_not.substr(0, 80)));
  }
  const auto memory = memory_of_row(line, *used->bytes);
  if (!memory) return fail(memory.error());
  Reading reading;
  reading.gpu = gpu;
  reading.time = stamp;
  reading.memory = *memory;
  return reading;
}

/// With memory.reserved, nvidia-smi's used does not contain it; without, free is what the recording says or the rest.
Result<MemoryUse> NvidiaSmiReader::memory_of_row(const TraceLine& line, Bytes used) const {
  const auto total = amount(line, Column::Total, "memory.total");
  if (!total) return fail(total.error());
  const auto free = amount(line, Column::Free, "memory.free");
  if (!free) return fail(free.error());
  const auto reserved = amount(line, Column::Reserved, "memory.reserved");
  if (!reserved) return fail(reserved.error());

  auto memory = MemoryUse::from_used_and_total(used, total->bytes);
  if (reserved->bytes) {
    memory.reserved = reserved->bytes;
    memory.used_meaning = UsedMeaning::WithoutReserved;
    if (memory.free) memory.free = *memory.free - std::min(*memory.free, *reserved->bytes);
  }
  if (free->bytes) memory.free = free->bytes;
  return memory;
}

Device NvidiaSmiReader::device_of_row(int gpu) const {
  const auto known = [this](Column column) -> std::optional<std::string> {
    const auto text = field(column);
    if (text.empty() || is_nvidia_smi_refusal(text)) return std::nullopt;
    return std::string(text);
  };
  Device device;
  device.gpu = gpu;
  device.name = known(Column::Name).value_or("");
  device.uuid = known(Column::Uuid);
  device.pci_address = known(Column::PciBusId);
  device.vendor = Vendor::Nvidia;
  device.key = device.uuid ? *device.uuid : device.pci_address.value_or(format_text("trace-{}", gpu));
  return device;
}

}  // namespace

bool is_nvidia_smi_line(std::string_view line) {
  Fields fields;
  split_fields(line, fields);
  return is_message(line) || NvidiaSmiColumns::from_header(fields) || parse_wall_time(fields.front());
}

Result<Trace> parse_trace_nvidia_smi(std::string_view text) {
  NvidiaSmiReader reader;
  return build_trace(text, TimeOrigin::FirstRow,
                     [&](const TraceLine& line, TraceBuilder& builder) { return reader.read_line(line, builder); });
}

}  // namespace dualgpuopt::memory
