#pragma once

#include <cstdint>
#include <string>

#include "Sward_BadDocuments.hpp"
#include "Sward_DocumentEncoder.hpp"
#include "Sward_TokenFileWriter.hpp"

namespace Sward {

/// Distributes documents over a token file for training and one for evaluation, by their hash, and leaves out bad and
/// empty ones whole, however many parts they came in.
class TokenFileSplit {
 public:
  /// Of all documents that were written, whether for training or for evaluation.
  struct Totals {
    std::uint64_t bytes = 0;
    std::uint64_t documents = 0;
    std::uint64_t tokens = 0;
  };

  /// `evaluation` is null, or gets this share of the documents. All must outlive it.
  TokenFileSplit(TokenFileWriter& training, TokenFileWriter* evaluation, double evaluation_fraction,
                 BadDocuments& bad_documents);

  /// Takes the next part; `source` names the input. Throws InputError when there are too many bad documents.
  void take(const EncodedPart& part, const std::string& source);

  /// What was written.
  const Totals& totals() const { return totals_; }

 private:
  void begin_document(const EncodedPart& part);
  void end_document(const std::string& source, std::uint64_t line);

  TokenFileWriter& training_;
  TokenFileWriter* evaluation_;
  double evaluation_fraction_;
  BadDocuments& bad_documents_;
  TokenFileWriter* writer_ = nullptr;
  Totals document_;
  bool is_good_ = false;
  bool is_blank_ = false;
  Totals totals_;
};

}  // namespace Sward
