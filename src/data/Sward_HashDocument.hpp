#pragma once

#include <cstdint>
#include <string_view>

#include "Sward_Fnv1a.hpp"

namespace Sward {

/// 64 well-mixed bits that depend on the document's text alone (FNV-1a, then the finalizer of SplitMix64): the same in
/// every run, on every machine and at every place in the inputs.
constexpr std::uint64_t hash_document(std::string_view document) {
  std::uint64_t hash = fnv1a(document);
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9U;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebU;
  return hash ^ (hash >> 31);
}

}  // namespace Sward
