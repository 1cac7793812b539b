#pragma once

#include <Kokkos_Core.hpp>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "Sward_ParameterOptimizer.hpp"

namespace Sward::Test {

/// A view's elements on the host, row-major; waits for all work.
template <class View>
std::vector<typename View::non_const_value_type> host_values(const View& view) {
  Kokkos::fence("Sward::Test::host_values");
  const auto host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, view);
  return {host.data(), host.data() + host.size()};
}

/// Copies the bits of everything that it visits.
template <class ExecutionSpace, class Scalar>
class StateRecorder : public StateVisitor<ExecutionSpace, Scalar> {
  using Base = StateVisitor<ExecutionSpace, Scalar>;

 public:
  void visit(const std::string& name, typename Base::Matrix values, const MatrixSplit&) override {
    record(name, host_values(values));
  }
  void visit(const std::string& name, typename Base::HalfMatrix values, const MatrixSplit&) override {
    record(name, host_values(values));
  }
  void visit(const std::string& name, typename Base::Codes values, const MatrixSplit&) override {
    record(name, host_values(values));
  }
  void visit(const std::string& name, typename Base::Floats values, const MatrixSplit&) override {
    record(name, host_values(values));
  }
  void visit(const std::string& name, typename Base::Integers values, int) override {
    record(name, host_values(values));
  }
  void visit(const std::string& name, typename Base::Floats values) override { record(name, host_values(values)); }
  void visit(const std::string& name, std::int64_t& value) override { record(name, std::vector<std::int64_t>{value}); }

  const std::map<std::string, std::string>& bits() const { return bits_; }
  /// What was visited under this name, which holds elements of type T.
  template <class T>
  std::vector<T> values(const std::string& name) const {
    const std::string& bytes = bits_.at(name);
    std::vector<T> values(bytes.size() / sizeof(T));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }

 private:
  template <class T>
  void record(const std::string& name, const std::vector<T>& values) {
    bits_[name] = std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  }

  std::map<std::string, std::string> bits_;
};

}  // namespace Sward::Test
