#include "Sward_TokenStream.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "Sward_DocumentFirst.hpp"
#include "Sward_InputError.hpp"

namespace Sward {
namespace {

std::vector<double> weights_of(const std::vector<TokenSource>& sources) {
  std::vector<double> weights;
  weights.reserve(sources.size());
  for (const TokenSource& source : sources) weights.push_back(source.weight);
  return weights;
}

/// Sequences that an epoch of this file has: whole updates of a file alone, all of a file among others.
std::uint64_t epoch_length(const TokenFile& file, std::uint64_t sequence_length, std::uint64_t sequences_per_update,
                           bool alone) {
  const std::uint64_t count = file.sequence_count(sequence_length);
  const std::uint64_t least = alone ? sequences_per_update : 1;
  if (count < least) {
    throw InputError(fmt::format("{}: /tokens: {} tokens hold {} sequences of length {}, fewer than the {} of {}",
                                 file.path().string(), file.token_count(), count, sequence_length, least,
                                 alone ? "one update" : "an epoch"));
  }
  if (count > std::numeric_limits<std::uint32_t>::max()) {
    throw InputError(fmt::format("{}: /tokens: {} sequences of length {} are more than 2^32 - 1", file.path().string(),
                                 count, sequence_length));
  }
  return alone ? count - count % sequences_per_update : count;
}

void require_counting_target(const TokenFile& file, std::uint64_t sequence_length) {
  if (has_counting_target(file, 1, file.sequence_count(sequence_length) * sequence_length)) return;
  throw InputError(file.path().string() + ": /loss_mask: no target counts");
}

/// The models of two files are compared where both carry one.
void require_same_tokenizer(const TokenFile& first, const TokenFile& other) {
  const std::string names = fmt::format("{} and {}: ", first.path().string(), other.path().string());
  if (first.vocab_size() != other.vocab_size())
    throw InputError(
        fmt::format("{}vocab_size is {} in one, {} in the other", names, first.vocab_size(), other.vocab_size()));
  if (first.tokenizer() != other.tokenizer())
    throw InputError(
        fmt::format("{}tokenizer is \"{}\" in one, \"{}\" in the other", names, first.tokenizer(), other.tokenizer()));
  const std::string model = other.tokenizer_model();
  if (model.empty() || first.tokenizer_model().empty() || model == first.tokenizer_model()) return;
  throw InputError(names + "/tokenizer_model differs");
}

}  // namespace

std::int64_t TokenBatch::counting_targets() const {
  return std::count_if(targets.begin(), targets.end(), [](std::int32_t target) { return target >= 0; });
}

TokenStream::TokenStream(const std::vector<TokenSource>& sources, std::uint64_t sequence_length,
                         std::uint64_t sequences_per_update, SequenceOrder order, std::uint64_t seed,
                         bool mark_documents)
    : sequence_length_(sequence_length),
      sequences_per_update_(sequences_per_update),
      mark_documents_(mark_documents),
      schedule_(weights_of(sources)) {
  if (sequence_length == 0 || sequences_per_update == 0) {
    throw std::invalid_argument("TokenStream: sequence length and sequences an update must be positive");
  }
  for (const TokenSource& source : sources) {
    const TokenFile& file = *source.file;
    require_same_tokenizer(*sources.front().file, file);
    const std::uint64_t length = epoch_length(file, sequence_length, sequences_per_update, sources.size() == 1);
    require_counting_target(file, sequence_length);
    const EpochOrder epochs(file.sequence_count(sequence_length), length, order, seed,
                            static_cast<std::uint32_t>(sources_.size()));
    sources_.push_back({source.file, epochs, mark_documents ? file.document_starts() : std::vector<std::uint64_t>()});
  }
}

bool TokenStream::has_loss_mask() const {
  return std::any_of(sources_.begin(), sources_.end(),
                     [](const Source& source) { return source.file->has_loss_mask(); });
}

TokenStream::Sequence TokenStream::sequence(std::uint64_t update, std::uint64_t position) {
  if (position >= sequences_per_update_) {
    throw std::out_of_range(
        fmt::format("TokenStream: position {} in an update of {}", position, sequences_per_update_));
  }
  const MixturePlace place = schedule_.at(update * sequences_per_update_ + position);
  return {place.source, sources_[place.source].order.index(place.place)};
}

TokenBatch TokenStream::read(std::uint64_t update, std::uint64_t first, std::uint64_t count) {
  TokenBatch batch;
  batch.inputs.reserve(count * sequence_length_);
  batch.targets.reserve(count * sequence_length_);
  if (mark_documents_) batch.document_first.reserve(count * sequence_length_);
  for (std::uint64_t position = first; position < first + count; ++position) {
    const Sequence found = sequence(update, position);
    const Source& source = sources_[found.source];
    append_tokens(*source.file, found.index * sequence_length_, batch);
    if (mark_documents_)
      append_document_first(source.document_starts, found.index * sequence_length_, sequence_length_,
                            batch.document_first);
  }
  return batch;
}

void TokenStream::append_tokens(const TokenFile& file, std::uint64_t offset, TokenBatch& batch) const {
  const std::vector<std::uint32_t> tokens = file.read(offset, sequence_length_ + 1);
  const std::vector<std::uint32_t> mask = file.loss_mask(offset, sequence_length_ + 1);
  for (std::uint64_t t = 0; t <= sequence_length_; ++t) {
    if (tokens[t] >= file.vocab_size()) check_tokens(file, offset + t, 1, file.vocab_size());
    const auto token = static_cast<std::int32_t>(tokens[t]);
    if (t < sequence_length_) batch.inputs.push_back(token);
    if (t > 0) batch.targets.push_back(mask[t] == 1 ? token : -1);
  }
}

}  // namespace Sward
