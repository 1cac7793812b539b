#include "Sward_BadDocuments.hpp"

#include <fmt/core.h>

#include <utility>

#include "Sward_InputError.hpp"

namespace Sward {
namespace {

constexpr std::uint64_t named = 10;
constexpr std::array<const char*, document_fault_count> descriptions = {
    "not UTF-8", "not JSON", "without the fields wanted", "with tokens beyond the vocabulary", "too long", "empty"};

}  // namespace

BadDocuments::BadDocuments(std::uint64_t allowed, std::function<void(const std::string&)> print)
    : allowed_(allowed), print_(std::move(print)) {}

void BadDocuments::add(const std::string& source, std::uint64_t line, DocumentFault fault, const std::string& reason) {
  const std::string place = fmt::format("{}:{}: {}", source, line, reason);
  if (fault != DocumentFault::empty && ++bad_ > allowed_) {
    const std::string count = allowed_ == 0 ? "" : fmt::format("bad document {}, ", bad_);
    throw InputError(fmt::format("{} ({}--max-bad allows {})", place, count, allowed_));
  }
  if (++counts_[static_cast<std::size_t>(fault)] <= named) print_(place + "; left out");
}

void BadDocuments::print_counts() const {
  for (std::size_t i = 0; i < document_fault_count; ++i) {
    if (counts_[i] > named) print_(fmt::format("left out in all: {} documents {}", counts_[i], descriptions[i]));
  }
}

}  // namespace Sward
