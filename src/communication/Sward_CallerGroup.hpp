#pragma once

#include <functional>

#include "Sward_ProcessGroup.hpp"

namespace Sward {

/// A contiguous array to be added up over ranks, in place.
struct CallerMessage {
  void* data;         ///< where the instance works
  std::size_t count;  ///< of elements
  ElementType type;
  const char* what;  ///< a name for it, such as "the gradients of layer 0"
};

/// Ranks of a code that adds up messages itself, by whatever it communicates with; or one rank alone.
///
/// Of a ProcessGroup it does what GrassOptimizer needs: sums of messages, and of numbers through these. Everything else
/// throws std::logic_error where there is more than one rank.
class CallerGroup : public ProcessGroup {
 public:
  /// Adds up over all ranks, behind the work that the instance holds, and before what is queued on it when this
  /// returns. Called with the same messages in the same order on all ranks.
  using AddUp = std::function<void(const Space&, const CallerMessage&)>;

  /// One rank, whose sums are what it has.
  CallerGroup() = default;
  /// Rank `rank` of `size`.
  CallerGroup(int rank, int size, AddUp add_up);

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  void wait(const Space&) override {}
  void wait(const Space&, Ticket) override {}
  void progress() override {}
  double sum(double value) const override;
  std::uint64_t minimum(std::uint64_t value) const override;
  std::uint64_t maximum(std::uint64_t value) const override;
  void barrier() const override;
  std::vector<std::uint64_t> merge(const std::vector<std::uint64_t>& bits) const override;
  std::string broadcast(const std::string& text, int root) const override;
  void gather_to_root(std::span<const std::byte> bytes, const Take& take) const override;
  CollectiveLog& log() const override { return log_; }

 protected:
  Ticket start(const Space& space, const Message& message, const std::string& what) override;

 private:
  std::vector<std::uint64_t> values_of_all(std::uint64_t value) const;
  void require_one_rank(const char* call) const;

  AddUp add_up_;
  int rank_ = 0;
  int size_ = 1;
  Ticket last_ = 0;
  mutable CollectiveLog log_;
};

}  // namespace Sward
