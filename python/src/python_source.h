// A source of readings that is written in Python.
#pragma once

#include <memory>
#include <string>

#include "dualgpuopt/memory/sources/memory_source.h"
#include "exchange.h"

namespace dualgpuopt::memory::python {

/// Asks the Python side of the exchange for everything. An exception there is a reading with that as its reason.
class PythonSource final : public MemorySource {
 public:
  /// `clock` must outlive the source.
  PythonSource(std::string name, Provenance provenance, std::shared_ptr<Exchange> exchange, const Clock& clock)
      : name_(std::move(name)), provenance_(provenance), exchange_(std::move(exchange)), clock_(clock) {}

  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] Provenance provenance() const override { return provenance_; }
  [[nodiscard]] Result<std::vector<Device>> enumerate() override;
  [[nodiscard]] Result<void> release() override;
  [[nodiscard]] Reading read(int gpu, ReadDetail detail) override;

 private:
  const std::string name_;
  const Provenance provenance_;
  const std::shared_ptr<Exchange> exchange_;
  const Clock& clock_;
};

}  // namespace dualgpuopt::memory::python
