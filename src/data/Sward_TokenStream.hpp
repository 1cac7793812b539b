#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "Sward_TokenFile.hpp"

namespace Sward {

enum class SequenceOrder { sequential, shuffled };

/// Sequences in row-major order, sequence after sequence: inputs[s*T + t] is followed by targets[s*T + t].
struct TokenBatch {
  std::vector<std::int32_t> inputs;
  std::vector<std::int32_t> targets;
};

/// The training data as a list of updates. Sequence i is tokens[i*T : i*T + T + 1], T inputs and the targets one
/// further; an update has a fixed number of sequences over all ranks, and an epoch only whole updates. The order
/// depends on the seed and the epoch alone, so every rank has the same one and any update can be read at any time.
class TokenStream {
 public:
  /// Throws InputError when the file is shorter than one update.
  TokenStream(std::shared_ptr<const TokenFile> file, std::uint64_t sequence_length, std::uint64_t sequences_per_update,
              SequenceOrder order, std::uint64_t seed);

  std::uint64_t sequence_length() const { return sequence_length_; }
  std::uint64_t sequence_count() const { return sequence_count_; }
  std::uint64_t updates_per_epoch() const { return sequence_count_ / sequences_per_update_; }
  std::uint64_t epoch(std::uint64_t update) const { return update / updates_per_epoch(); }

  /// Index in the file of the sequence at this position (0 to sequences_per_update - 1) of an update (from 0).
  std::uint64_t sequence_index(std::uint64_t update, std::uint64_t position);

  /// Sequences first to first + count - 1 of an update. Throws InputError for a token outside the file's vocabulary.
  TokenBatch read(std::uint64_t update, std::uint64_t first, std::uint64_t count);

 private:
  std::shared_ptr<const TokenFile> file_;
  std::uint64_t sequence_length_;
  std::uint64_t sequences_per_update_;
  std::uint64_t sequence_count_;
  SequenceOrder order_;
  std::uint64_t seed_;
  std::uint64_t shuffled_epoch_ = 0;
  std::vector<std::uint32_t> permutation_;
};

/// The numbers 0 to count - 1 in an order that depends on seed and epoch alone (Fisher-Yates, with draws from
/// Random123's Philox). Throws std::invalid_argument for more than 2^32 - 1 of them.
std::vector<std::uint32_t> shuffled_indices(std::uint64_t count, std::uint64_t seed, std::uint64_t epoch);

}  // namespace Sward
