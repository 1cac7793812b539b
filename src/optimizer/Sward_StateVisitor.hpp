#pragma once

#include <Kokkos_Core.hpp>
#include <cstdint>
#include <string>

#include "Sward_BFloat16.hpp"
#include "Sward_MatrixSplit.hpp"

namespace Sward {

/// Visits the arrays that have to survive a restart, for writing and for reading alike. Value is what gradients are in.
/// Of arrays that come with a split the views are this rank's part; the others are the same on all ranks.
template <class ExecutionSpace, class Value>
class StateVisitor {
 public:
  template <class Data>
  using View = Kokkos::View<Data, Kokkos::LayoutRight, ExecutionSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  using Matrix = View<Value**>;
  using HalfMatrix = View<BFloat16**>;
  using Codes = View<std::uint8_t**>;
  using Integers = View<int*>;
  using Floats = View<float*>;

  virtual ~StateVisitor() = default;
  /// A matrix, in what it is stored.
  virtual void visit(const std::string& name, Matrix values, const MatrixSplit& split) = 0;
  virtual void visit(const std::string& name, HalfMatrix values, const MatrixSplit& split) = 0;
  virtual void visit(const std::string& name, Codes values, const MatrixSplit& split) = 0;
  /// The elements of a matrix, row after row.
  virtual void visit(const std::string& name, Floats values, const MatrixSplit& split) = 0;
  /// Integers from 0 to limit - 1.
  virtual void visit(const std::string& name, Integers values, int limit) = 0;
  virtual void visit(const std::string& name, Floats values) = 0;
  virtual void visit(const std::string& name, std::int64_t& value) = 0;
};

}  // namespace Sward
