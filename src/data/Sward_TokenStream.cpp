#include "Sward_TokenStream.hpp"

#include <Random123/philox.h>
#include <fmt/core.h>

#include <limits>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "Sward_InputError.hpp"

namespace Sward {
namespace {

// The last counter word sets these draws apart from every other use of the seed.
constexpr std::uint32_t shuffle_counter = 0x73687566;

std::uint64_t draw(std::uint64_t seed, std::uint64_t epoch, std::uint32_t index) {
  const auto low = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
  const auto high = [](std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32); };
  const r123::Philox4x32::ctr_type counter = {{index, low(epoch), high(epoch), shuffle_counter}};
  const r123::Philox4x32::key_type key = {{low(seed), high(seed)}};
  const r123::Philox4x32::ctr_type bits = r123::Philox4x32()(counter, key);
  return (std::uint64_t{bits[1]} << 32) | bits[0];
}

/// The high 64 bits of a product of a 64-bit fraction and a 32-bit bound: uniform below the bound up to 2^-32.
std::uint32_t scale_to(std::uint64_t fraction, std::uint32_t bound) {
  const std::uint64_t low = (fraction & 0xffffffffU) * bound;
  return static_cast<std::uint32_t>(((fraction >> 32) * bound + (low >> 32)) >> 32);
}

}  // namespace

std::vector<std::uint32_t> shuffled_indices(std::uint64_t count, std::uint64_t seed, std::uint64_t epoch) {
  if (count > std::numeric_limits<std::uint32_t>::max()) {
    throw std::invalid_argument(fmt::format("shuffled_indices: {} is more than 2^32 - 1", count));
  }
  std::vector<std::uint32_t> indices(count);
  std::iota(indices.begin(), indices.end(), 0U);
  for (std::uint32_t i = static_cast<std::uint32_t>(count); i > 1; --i) {
    std::swap(indices[i - 1], indices[scale_to(draw(seed, epoch, i), i)]);
  }
  return indices;
}

TokenStream::TokenStream(std::shared_ptr<const TokenFile> file, std::uint64_t sequence_length,
                         std::uint64_t sequences_per_update, SequenceOrder order, std::uint64_t seed)
    : file_(std::move(file)),
      sequence_length_(sequence_length),
      sequences_per_update_(sequences_per_update),
      sequence_count_(0),
      order_(order),
      seed_(seed),
      shuffled_epoch_(std::numeric_limits<std::uint64_t>::max()) {
  if (sequence_length == 0 || sequences_per_update == 0) {
    throw std::invalid_argument("TokenStream: sequence length and sequences an update must be positive");
  }
  if (file_->token_count() > 0) sequence_count_ = (file_->token_count() - 1) / sequence_length;
  if (sequence_count_ < sequences_per_update) {
    throw InputError(fmt::format(
        "{}: /tokens: {} tokens hold {} sequences of length {}, fewer than the {} of one update",
        file_->path().string(), file_->token_count(), sequence_count_, sequence_length, sequences_per_update));
  }
  if (sequence_count_ > std::numeric_limits<std::uint32_t>::max()) {
    throw InputError(fmt::format("{}: /tokens: {} sequences of length {} are more than 2^32 - 1",
                                 file_->path().string(), sequence_count_, sequence_length));
  }
}

std::uint64_t TokenStream::sequence_index(std::uint64_t update, std::uint64_t position) {
  if (position >= sequences_per_update_) {
    throw std::out_of_range(
        fmt::format("TokenStream: position {} in an update of {}", position, sequences_per_update_));
  }
  const std::uint64_t place = update % updates_per_epoch() * sequences_per_update_ + position;
  if (order_ == SequenceOrder::sequential) return place;
  if (permutation_.empty() || shuffled_epoch_ != epoch(update)) {
    // The last epoch's order goes first: two would be the highest point of a run over much data.
    permutation_ = std::vector<std::uint32_t>();
    permutation_ = shuffled_indices(sequence_count_, seed_, epoch(update));
    shuffled_epoch_ = epoch(update);
  }
  return permutation_[place];
}

TokenBatch TokenStream::read(std::uint64_t update, std::uint64_t first, std::uint64_t count) {
  TokenBatch batch;
  batch.inputs.reserve(count * sequence_length_);
  batch.targets.reserve(count * sequence_length_);
  for (std::uint64_t position = first; position < first + count; ++position) {
    const std::uint64_t offset = sequence_index(update, position) * sequence_length_;
    const std::vector<std::uint32_t> tokens = file_->read(offset, sequence_length_ + 1);
    for (std::uint64_t t = 0; t <= sequence_length_; ++t) {
      if (tokens[t] >= file_->vocab_size()) check_tokens(*file_, offset + t, 1, file_->vocab_size());
      if (t < sequence_length_) batch.inputs.push_back(static_cast<std::int32_t>(tokens[t]));
      if (t > 0) batch.targets.push_back(static_cast<std::int32_t>(tokens[t]));
    }
  }
  return batch;
}

}  // namespace Sward
