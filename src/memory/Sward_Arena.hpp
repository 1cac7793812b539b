#pragma once

#include <Kokkos_Core.hpp>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace Sward {

/// What a block of memory is for; the rows of a memory plan.
enum class BlockKind { weight, optimizer_state, gradient, activation, workspace };

/// One labelled piece of an arena. Sizes in elements and in bytes (with padding).
struct ArenaBlock {
  std::string label;
  BlockKind kind;
  std::size_t elements;
  std::size_t bytes;
};

/// One allocation for everything that a run keeps on a device.
///
/// The same constructors run twice: over a measuring arena, which hands out null views and only counts, and over one
/// that holds as many bytes as were counted. So the plan cannot differ from what is used, and is known without memory.
template <class ExecutionSpace>
class Arena {
 public:
  template <class T>
  using MatrixView = Kokkos::View<T**, Kokkos::LayoutRight, ExecutionSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  template <class T>
  using VectorView = Kokkos::View<T*, Kokkos::LayoutRight, ExecutionSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

  /// An arena without memory: views have no data, `bytes()` tells what an arena for the same calls has to hold.
  static Arena measuring() { return Arena(); }

  /// An arena of `capacity` bytes, left uninitialised.
  static Arena holding(std::size_t capacity) {
    Arena arena;
    arena.storage_ = Storage(Kokkos::view_alloc(Kokkos::WithoutInitializing, "Sward::Arena"), capacity);
    return arena;
  }

  /// A rows x columns block. Throws std::length_error when an arena that holds memory is full.
  template <class T>
  MatrixView<T> matrix(std::string label, BlockKind kind, std::size_t rows, std::size_t columns) {
    return MatrixView<T>(take<T>(std::move(label), kind, rows * columns), rows, columns);
  }

  /// A block of `count` elements.
  template <class T>
  VectorView<T> vector(std::string label, BlockKind kind, std::size_t count) {
    return VectorView<T>(take<T>(std::move(label), kind, count), count);
  }

  /// Bytes handed out so far, padding included.
  std::size_t bytes() const { return used_; }

  /// Bytes handed out so far for one kind.
  std::size_t bytes(BlockKind kind) const {
    std::size_t sum = 0;
    for (const ArenaBlock& block : blocks_) sum += block.kind == kind ? block.bytes : 0;
    return sum;
  }

  const std::vector<ArenaBlock>& blocks() const { return blocks_; }

 private:
  using Storage = Kokkos::View<std::byte*, ExecutionSpace>;
  // A cache line on hosts, the widest vector access on GPUs with room to spare.
  static constexpr std::size_t alignment = 256;

  template <class T>
  T* take(std::string label, BlockKind kind, std::size_t elements) {
    const std::size_t size = (elements * sizeof(T) + alignment - 1) / alignment * alignment;
    const bool has_memory = storage_.data() != nullptr;
    if (has_memory && used_ + size > storage_.extent(0))
      throw std::length_error("Sward::Arena: no room for block '" + label + "'");
    T* const data = has_memory ? reinterpret_cast<T*>(storage_.data() + used_) : nullptr;
    blocks_.push_back({std::move(label), kind, elements, size});
    used_ += size;
    return data;
  }

  Storage storage_;
  std::size_t used_ = 0;
  std::vector<ArenaBlock> blocks_;
};

}  // namespace Sward
