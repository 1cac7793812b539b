#include "Sward_DocumentFirst.hpp"

#include <algorithm>

namespace Sward {

void append_document_first(const std::vector<std::uint64_t>& starts, std::uint64_t offset, std::uint64_t count,
                           std::vector<std::int32_t>& places) {
  auto next = std::upper_bound(starts.begin(), starts.end(), offset);
  std::int32_t first = 0;
  for (std::uint64_t t = 0; t < count; ++t) {
    for (; next != starts.end() && *next == offset + t; ++next) first = static_cast<std::int32_t>(t);
    places.push_back(first);
  }
}

}  // namespace Sward
