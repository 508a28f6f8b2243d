#include "dualgpuopt/memory/oom/oom_report.h"

#include <nlohmann/json.hpp>

#include "core/format.h"
#include "dualgpuopt/memory/oom/oom_advice.h"

namespace dualgpuopt::memory {
namespace {

using Record = nlohmann::ordered_json;

/// Less than this comes and goes, and is not worth a word.
constexpr Bytes kWorthNaming = 64_MiB;

template <typename Value>
Record or_null(const std::optional<Value>& value) {
  return value ? Record(*value) : Record(nullptr);
}

std::string what_happened(const OomError& error) {
  if (error.requested && is_implausible(*error.requested))
    return format_text("asked for {} bytes, which is implausible,", *error.requested);
  if (is_implausible(error, "requested_bytes")) return "asked for an implausible size";
  return error.requested ? format_text("asked for {}", format_bytes(*error.requested)) : "ran out of memory";
}

/// Who speaks; the words of a driver or runtime are those of its own maker.
std::string_view speaker(const OomError& error) {
  if (error.source != OomSource::Cuda) return to_string(error.source);
  switch (error.backend) {
    case OomBackend::Hip: return "HIP";
    case OomBackend::Vulkan: return "Vulkan";
    case OomBackend::Sycl: return "SYCL";
    case OomBackend::OpenCl: return "OpenCL";
    default: return to_string(error.source);
  }
}

std::string_view unnamed_place(OomBackend backend) {
  switch (backend) {
    case OomBackend::Host: return "of the host's memory";
    case OomBackend::Mps:
    case OomBackend::Metal: return "on Apple's GPU";
    case OomBackend::Tpu: return "on a TPU";
    default: return "on a GPU that the text does not name";
  }
}

std::string place_of(const OomError& error) {
  if (error.gpu && !error.is_host()) return format_text("on GPU {}", *error.gpu);
  return std::string(unnamed_place(error.backend));
}

std::string room_of(const OomError& error) {
  const auto of_total = error.total ? " of " + format_bytes(*error.total) : "";
  if (error.free) return format_text(", and {}{} were free", format_bytes(*error.free), of_total);
  return error.total ? ", which has " + format_bytes(*error.total) : "";
}

std::string own_of(const OomError& error) {
  std::string text;
  if (error.allocated) text += format_text("; its tensors had {}", format_bytes(*error.allocated));
  if (error.reserved_unused)
    text += format_text(", its allocator {} more, unused", format_bytes(*error.reserved_unused));
  if (error.limit && (!error.total || *error.limit < *error.total))
    text += format_text("; its limit is {}", format_bytes(*error.limit));
  return text;
}

std::string others_of(const OomError& error) {
  if (!error.others.empty()) {
    std::string text;
    for (const auto& process : error.others)
      text += format_text("{} process {} had {}", text.empty() ? ";" : ",", process.pid,
                          process.used ? format_bytes(*process.used) : "an implausible size");
    return text;
  }
  if (!error.elsewhere || *error.elsewhere < kWorthNaming) return "";
  return format_text("; {} were in use elsewhere", format_bytes(*error.elsewhere));
}

std::string cache_of(const OomError& error) {
  std::string text;
  if (error.cache_needed) text += format_text("; the cache needs {}", format_bytes(*error.cache_needed));
  if (error.cache_left && *error.cache_left >= 0)
    text += format_text("; {} were left for the cache", format_bytes(static_cast<Bytes>(*error.cache_left)));
  if (error.cache_left && *error.cache_left < 0)
    text += format_text("; {} were missing before any cache", format_bytes(static_cast<Bytes>(-*error.cache_left)));
  if (error.context && error.cache_tokens)
    text += format_text("; the cache holds {} of {} tokens", *error.cache_tokens, *error.context);
  return text;
}

Record or_null_name(bool is_known, std::string_view name) { return is_known ? Record(name) : Record(nullptr); }

void add_source(Record& record, const OomError& error) {
  record["source"] = to_string(error.source);
  record["backend"] = or_null_name(error.backend != OomBackend::Unknown, to_string(error.backend));
  record["application"] = error.application ? Record(to_string(*error.application)) : Record(nullptr);
  record["phase"] = to_string(error.phase);
  record["fatal"] = error.fatal;
  record["line"] = error.line;
  record["times"] = error.times;
  record["gpu"] = or_null(error.gpu);
  record["is_host"] = error.is_host();
}

void add_sizes(Record& record, const OomError& error) {
  for (const auto& size : oom_sizes()) record[std::string(size.name)] = or_null(error.*size.member);
  record["is_implausible"] = is_implausible(error, "requested_bytes");
  record["others"] = Record::array();
  for (const auto& process : error.others)
    record["others"].push_back(
        {{"pid", process.pid}, {"used_bytes", or_null(process.used)}, {"may_be_this", process.may_be_this}});
}

void add_model(Record& record, const OomError& error) {
  record["cache_left_bytes"] = or_null(error.cache_left);
  record["context"] = or_null(error.context);
  record["cache_tokens"] = or_null(error.cache_tokens);
  record["estimated_context"] = or_null(error.estimated_context);
  record["utilization"] = or_null(error.utilization);
  record["shape"] = error.shape.empty() ? Record(nullptr) : Record(error.shape);
  record["dtype"] = or_null_name(!error.dtype.empty(), error.dtype);
}

}  // namespace

std::string describe(const OomError& error) {
  const auto within = error.application ? format_text(" in {}", to_string(*error.application)) : "";
  auto text = format_text("{}{} {} {}", speaker(error), within, what_happened(error), place_of(error));
  text += room_of(error) + own_of(error) + others_of(error) + cache_of(error);
  if (!error.fatal) text += "; the program went on";
  return text;
}

std::string to_json(const OomError& error) {
  Record record{{"schema", 1}, {"type", "oom_error"}};
  add_source(record, error);
  add_sizes(record, error);
  add_model(record, error);
  record["derived"] = error.derived;
  record["implausible"] = error.implausible;
  record["description"] = describe(error);
  record["measures"] = measures_against(error);
  record["text"] = error.text;
  return record.dump(-1, ' ', false, Record::error_handler_t::replace);
}

}  // namespace dualgpuopt::memory
