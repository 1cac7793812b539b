#include "Sward_CallerGroup.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace Sward {

CallerGroup::CallerGroup(int rank, int size, AddUp add_up) : add_up_(std::move(add_up)), rank_(rank), size_(size) {
  if (size < 1 || rank < 0 || rank >= size)
    throw std::invalid_argument("Sward::CallerGroup: rank " + std::to_string(rank) + " of " + std::to_string(size));
  if (size > 1 && !add_up_) throw std::invalid_argument("Sward::CallerGroup: several ranks need a function that adds");
}

void CallerGroup::require_one_rank(const char* call) const {
  if (size_ > 1)
    throw std::logic_error("Sward::CallerGroup::" + std::string(call) + ": the caller's ranks add up messages alone");
}

/// A rank has a slot for each half of its number, which a double holds exactly, and zeros in those of the others.
std::vector<std::uint64_t> CallerGroup::values_of_all(std::uint64_t value) const {
  const auto ranks = static_cast<std::size_t>(size_);
  const auto own = static_cast<std::size_t>(rank_);
  if (ranks == 1) return {value};
  const Space space;
  const Kokkos::View<double*, Kokkos::LayoutRight, Space> halves("Sward::CallerGroup", 2 * ranks);
  const auto host = Kokkos::create_mirror_view(halves);
  host(2 * own) = static_cast<double>(value >> 32U);
  host(2 * own + 1) = static_cast<double>(value & 0xffffffffU);
  Kokkos::deep_copy(space, halves, host);
  add_up_(space, {halves.data(), 2 * ranks, ElementType::float64, "a number of each rank"});
  Kokkos::deep_copy(space, host, halves);
  space.fence("Sward::CallerGroup");
  std::vector<std::uint64_t> values(ranks);
  for (std::size_t r = 0; r < ranks; ++r)
    values[r] = static_cast<std::uint64_t>(host(2 * r)) << 32U | static_cast<std::uint64_t>(host(2 * r + 1));
  return values;
}

double CallerGroup::sum(double value) const {
  double sum = 0;
  for (const std::uint64_t bits : values_of_all(std::bit_cast<std::uint64_t>(value)))
    sum += std::bit_cast<double>(bits);
  return sum;
}

std::uint64_t CallerGroup::minimum(std::uint64_t value) const {
  const std::vector<std::uint64_t> values = values_of_all(value);
  return *std::min_element(values.begin(), values.end());
}

std::uint64_t CallerGroup::maximum(std::uint64_t value) const {
  const std::vector<std::uint64_t> values = values_of_all(value);
  return *std::max_element(values.begin(), values.end());
}

void CallerGroup::barrier() const { values_of_all(0); }

std::vector<std::uint64_t> CallerGroup::merge(const std::vector<std::uint64_t>& bits) const {
  require_one_rank("merge");
  return bits;
}

std::string CallerGroup::broadcast(const std::string& text, int /*root*/) const {
  require_one_rank("broadcast");
  return text;
}

void CallerGroup::gather_to_root(std::span<const std::byte> bytes, const Take& take) const {
  require_one_rank("gather_to_root");
  take(0, bytes);
}

auto CallerGroup::start(const Space& space, const Message& message, const std::string& what) -> Ticket {
  if (size_ == 1) return ++last_;
  if (message.collective != Collective::sum) require_one_rank("start");
  add_up_(space, {message.data, message.count, message.type, what.c_str()});
  return ++last_;
}

}  // namespace Sward
