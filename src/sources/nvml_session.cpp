#include "sources/nvml_session.h"

#include <unistd.h>

#include <utility>

namespace dualgpuopt::memory::nvml {
namespace {

std::optional<DeviceEventKind> kind_of(std::uint64_t type) {
  switch (type) {
    case kEventXid: return DeviceEventKind::Xid;
    case kEventEccCorrected: return DeviceEventKind::EccCorrected;
    case kEventEccUncorrected: return DeviceEventKind::EccUncorrected;
    default: return std::nullopt;
  }
}

}  // namespace

Session::Session(Library library) : library_(std::move(library)), process_(::getpid()) {}

Session::~Session() {
  if (!is_ours()) return;
  if (events_) library_.free_event_set(*events_);
  library_.shutdown();
}

Result<std::shared_ptr<Session>> Session::open(const std::filesystem::path& library) {
  auto loaded = Library::open(library);
  if (!loaded) return fail(std::move(loaded.error()));
  if (const auto code = loaded->init(); code != Code::Success) {
    return fail(ErrorCode::Unavailable, "NVML does not start: " + loaded->describe(code));
  }
  return std::shared_ptr<Session>(new Session(std::move(*loaded)));
}

bool Session::is_ours() const { return ::getpid() == process_; }

void Session::watch(Handle device) {
  if (!events_) {
    const auto created = library_.create_event_set();
    if (!created) return;
    events_ = *created;
  }
  (void)library_.register_events(device, *events_);
}

std::vector<Session::Event> Session::collect(TimeStamp now) const {
  std::vector<Event> collected;
  for (int i = 0; events_ && i < kMostEvents; ++i) {
    const auto event = library_.next_event(*events_);
    if (!event) break;
    const auto kind = kind_of(event->type);
    if (!kind) continue;
    collected.push_back({event->device, {now, *kind, *kind == DeviceEventKind::Xid ? event->data : 0}});
  }
  return collected;
}

}  // namespace dualgpuopt::memory::nvml
