#pragma once

#include <cstddef>

namespace Sward {

/// Where a model's weights come from whose memory groups of parameters share (WeightStorage::by_group). Groups are
/// numbered by `group_parameters`.
template <class ExecutionSpace>
class WeightSource {
 public:
  virtual ~WeightSource() = default;

  /// Work that is queued on `space` from now on finds the weights of the group in the model's views, and those of
  /// groups in the same memory no more.
  virtual void fetch(const ExecutionSpace& space, std::size_t group) = 0;
  /// Lets the weights of the group that is fetched next come while other work goes on.
  virtual void prefetch(const ExecutionSpace& space, std::size_t group) = 0;
  /// Takes over what the model's view of a parameter holds.
  virtual void keep(const ExecutionSpace& space, std::size_t parameter) = 0;
};

}  // namespace Sward
