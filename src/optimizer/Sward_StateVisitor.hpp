#pragma once

#include <Kokkos_Core.hpp>
#include <cstdint>
#include <string>

#include "Sward_BFloat16.hpp"

namespace Sward {

/// Visits the arrays that have to survive a restart, for writing and for reading alike. Value is what gradients are in.
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
  virtual void visit(const std::string& name, Matrix values) = 0;
  virtual void visit(const std::string& name, HalfMatrix values) = 0;
  virtual void visit(const std::string& name, Codes values) = 0;
  /// Integers from 0 to limit - 1.
  virtual void visit(const std::string& name, Integers values, int limit) = 0;
  virtual void visit(const std::string& name, Floats values) = 0;
  virtual void visit(const std::string& name, std::int64_t& value) = 0;
};

}  // namespace Sward
