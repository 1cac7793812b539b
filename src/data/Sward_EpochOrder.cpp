#include "Sward_EpochOrder.hpp"

#include <Random123/philox.h>
#include <fmt/core.h>

#include <limits>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace Sward {
namespace {

// The last counter word sets these draws apart from every other use of the seed.
constexpr std::uint32_t shuffle_counter = 0x73687566;

std::uint64_t draw(std::uint64_t seed, std::uint64_t epoch, std::uint32_t file, std::uint32_t index) {
  const auto low = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
  const auto high = [](std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32); };
  const r123::Philox4x32::ctr_type counter = {{index, low(epoch), high(epoch), shuffle_counter + file}};
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

std::vector<std::uint32_t> shuffled_indices(std::uint64_t count, std::uint64_t seed, std::uint64_t epoch,
                                            std::uint32_t file) {
  if (count > std::numeric_limits<std::uint32_t>::max()) {
    throw std::invalid_argument(fmt::format("shuffled_indices: {} is more than 2^32 - 1", count));
  }
  std::vector<std::uint32_t> indices(count);
  std::iota(indices.begin(), indices.end(), 0U);
  for (std::uint32_t i = static_cast<std::uint32_t>(count); i > 1; --i) {
    std::swap(indices[i - 1], indices[scale_to(draw(seed, epoch, file, i), i)]);
  }
  return indices;
}

EpochOrder::EpochOrder(std::uint64_t count, std::uint64_t epoch_length, SequenceOrder order, std::uint64_t seed,
                       std::uint32_t file)
    : count_(count), epoch_length_(epoch_length), order_(order), seed_(seed), file_(file) {
  if (epoch_length == 0 || epoch_length > count) {
    throw std::invalid_argument(fmt::format("EpochOrder: an epoch of {} out of {} sequences", epoch_length, count));
  }
}

std::uint64_t EpochOrder::index(std::uint64_t place) {
  if (order_ == SequenceOrder::sequential) return place % epoch_length_;
  const std::uint64_t epoch = place / epoch_length_;
  if (permutation_.empty() || shuffled_epoch_ != epoch) {
    // The last epoch's order goes first: two would be the highest point of a run over much data.
    permutation_ = std::vector<std::uint32_t>();
    permutation_ = shuffled_indices(count_, seed_, epoch, file_);
    shuffled_epoch_ = epoch;
  }
  return permutation_[place % epoch_length_];
}

}  // namespace Sward
