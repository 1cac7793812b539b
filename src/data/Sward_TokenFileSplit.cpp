#include "Sward_TokenFileSplit.hpp"

namespace Sward {

TokenFileSplit::TokenFileSplit(TokenFileWriter& training, TokenFileWriter* evaluation, double evaluation_fraction,
                               BadDocuments& bad_documents)
    : training_(training),
      evaluation_(evaluation),
      evaluation_fraction_(evaluation_fraction),
      bad_documents_(bad_documents) {}

void TokenFileSplit::take(const EncodedPart& part, const std::string& source) {
  if (part.begins) begin_document(part);
  if (is_good_ && part.fault) {
    is_good_ = false;
    bad_documents_.add(source, part.line, part.fault->fault(), part.fault->what());
  }
  if (is_good_) {
    writer_->extend(part.tokens, part.mask);
    is_blank_ = is_blank_ && part.is_blank;
    document_.bytes += part.bytes;
    document_.tokens += part.tokens.size();
  }
  if (part.ends) end_document(source, part.line);
}

void TokenFileSplit::begin_document(const EncodedPart& part) {
  const double place = static_cast<double>(part.hash >> 11) * 0x1p-53;
  writer_ = evaluation_ != nullptr && place < evaluation_fraction_ ? evaluation_ : &training_;
  writer_->start_document();
  document_ = {};
  is_good_ = true;
  is_blank_ = true;
}

void TokenFileSplit::end_document(const std::string& source, std::uint64_t line) {
  if (is_good_ && is_blank_) {
    is_good_ = false;
    bad_documents_.add(source, line, DocumentFault::empty, "this document is empty");
  }
  if (!is_good_) return writer_->discard_document();
  totals_.bytes += document_.bytes;
  totals_.tokens += document_.tokens;
  totals_.documents += 1;
}

}  // namespace Sward
