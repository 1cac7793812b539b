#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>

namespace Sward {

/// What can be wrong with a document. An empty one is no mistake.
enum class DocumentFault { invalid_utf8, invalid_json, wrong_field, token_out_of_range, overlong, empty };
constexpr std::size_t document_fault_count = 6;

/// A document that cannot be taken, and why.
class BadDocument : public std::runtime_error {
 public:
  BadDocument(DocumentFault fault, const std::string& reason) : std::runtime_error(reason), fault_(fault) {}
  DocumentFault fault() const { return fault_; }

 private:
  DocumentFault fault_;
};

/// Counts the documents that were left out, names the first ten of each kind, and stops when there are too many.
class BadDocuments {
 public:
  /// `print` takes the lines that name them.
  BadDocuments(std::uint64_t allowed, std::function<void(const std::string&)> print);

  /// Counts one. Throws InputError naming it where that makes more bad documents than are allowed.
  void add(const std::string& source, std::uint64_t line, DocumentFault fault, const std::string& reason);

  /// Prints how many there were of each kind of which not all were named.
  void print_counts() const;

 private:
  std::uint64_t allowed_;
  std::function<void(const std::string&)> print_;
  std::uint64_t bad_ = 0;
  std::array<std::uint64_t, document_fault_count> counts_{};
};

}  // namespace Sward
