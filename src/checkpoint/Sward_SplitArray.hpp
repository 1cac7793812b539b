#pragma once

#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "Sward_Communicator.hpp"
#include "Sward_MatrixSplit.hpp"
#include "Sward_ProcessGroup.hpp"

namespace Sward {

/// Collective. The whole of a matrix of which each rank gives its part, row-major, on rank 0; nothing on the others.
template <class T>
std::vector<T> gather_whole(const ProcessGroup& group, const MatrixSplit& split, std::span<const T> part) {
  std::vector<T> whole(group.rank() == 0 ? split.rows * split.columns : 0);
  group.gather_to_root(std::as_bytes(part), [&](int rank, std::span<const std::byte> bytes) {
    const MatrixPart box = split.part(rank);
    if (bytes.size() != box.rows * box.columns * sizeof(T))
      throw CommunicationError("rank " + std::to_string(rank) + " gave " + std::to_string(bytes.size()) +
                               " bytes of a state, wanted " + std::to_string(box.rows * box.columns * sizeof(T)));
    split.for_each_row(rank, [&](std::size_t in_whole, std::size_t in_part, std::size_t count) {
      std::memcpy(whole.data() + in_whole, bytes.data() + in_part * sizeof(T), count * sizeof(T));
    });
  });
  return whole;
}

/// A rank's part of a matrix, row-major.
template <class T>
std::vector<T> take_part(const MatrixSplit& split, int rank, std::vector<T> whole) {
  if (!split.is_split()) return whole;
  const MatrixPart box = split.part(rank);
  std::vector<T> part(box.rows * box.columns);
  split.for_each_row(rank, [&](std::size_t in_whole, std::size_t in_part, std::size_t count) {
    std::copy_n(whole.data() + in_whole, count, part.data() + in_part);
  });
  return part;
}

}  // namespace Sward
