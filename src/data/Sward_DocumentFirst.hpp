#pragma once

#include <cstdint>
#include <vector>

namespace Sward {

/// For each of the tokens offset to offset + count - 1 the place among them of the first token of its document, 0 where
/// the document began before them; appended to `places`. `starts` ascends: the documents' first tokens.
void append_document_first(const std::vector<std::uint64_t>& starts, std::uint64_t offset, std::uint64_t count,
                           std::vector<std::int32_t>& places);

}  // namespace Sward
