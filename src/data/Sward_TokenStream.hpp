#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "Sward_EpochOrder.hpp"
#include "Sward_MixtureSchedule.hpp"
#include "Sward_TokenFile.hpp"

namespace Sward {

/// Sequences in row-major order, sequence after sequence: inputs[s*T + t] is followed by targets[s*T + t].
struct TokenBatch {
  std::vector<std::int32_t> inputs;
  std::vector<std::int32_t> targets;  ///< -1 where the loss mask says that the target does not count
  /// For each input the place in its sequence (0 to T - 1) of the first token of its document there, 0 where the
  /// document began before the sequence. Empty unless asked for.
  std::vector<std::int32_t> document_first;

  std::int64_t counting_targets() const;
};

/// A file of a mixture; weights need not add up to 1.
struct TokenSource {
  std::shared_ptr<const TokenFile> file;
  double weight = 1.0;
};

/// The training data as a list of updates. Sequence i of a file is tokens[i*T : i*T + T + 1], T inputs and the targets
/// one further; an update has a fixed number of sequences over all ranks. The order depends on the seed alone, so every
/// rank has the same one and any update can be read at any time.
///
/// With one file an epoch has only whole updates. With several, `MixtureSchedule` deals the positions of the stream to
/// them, and each goes through epochs of all its sequences at its own pace.
class TokenStream {
 public:
  /// Throws InputError when a file alone is shorter than one update or one of several is shorter than a sequence, when
  /// no target of a file counts, when files differ in vocabulary or tokenizer, or when documents are to be marked and a
  /// file does not say where they start.
  TokenStream(const std::vector<TokenSource>& sources, std::uint64_t sequence_length,
              std::uint64_t sequences_per_update, SequenceOrder order, std::uint64_t seed, bool mark_documents = false);

  /// Whether any of the files has a loss mask.
  bool has_loss_mask() const;

  /// The sequence at a position (0 to sequences_per_update - 1) of an update (from 0).
  struct Sequence {
    std::size_t source;   ///< number of its file
    std::uint64_t index;  ///< index in that file
  };
  /// Where that sequence is.
  Sequence sequence(std::uint64_t update, std::uint64_t position);

  /// Sequences first to first + count - 1 of an update. Throws InputError for a token outside the file's vocabulary.
  TokenBatch read(std::uint64_t update, std::uint64_t first, std::uint64_t count);

 private:
  struct Source {
    std::shared_ptr<const TokenFile> file;
    EpochOrder order;
    std::vector<std::uint64_t> document_starts;  ///< empty unless documents are marked
  };

  void append_tokens(const TokenFile& file, std::uint64_t offset, TokenBatch& batch) const;

  std::uint64_t sequence_length_;
  std::uint64_t sequences_per_update_;
  bool mark_documents_;
  MixtureSchedule schedule_;
  std::vector<Source> sources_;
};

}  // namespace Sward
