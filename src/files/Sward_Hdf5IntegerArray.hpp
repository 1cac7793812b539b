#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "Sward_Hdf5.hpp"

namespace Sward {

/// An open 1-D dataset of integers of any width and sign, in any layout, read piece by piece as unsigned numbers.
/// The file must outlive it.
class Hdf5IntegerArray {
 public:
  /// Throws InputError unless the dataset exists, has one dimension and holds integers.
  Hdf5IntegerArray(const Hdf5File& file, const std::string& name);

  std::uint64_t size() const { return size_; }

  /// Reads values[i] = dataset[offset + i]. Throws InputError beyond the end, and for a number that does not fit.
  void read(const Hdf5File& file, std::uint64_t offset, std::span<std::uint32_t> values) const;
  void read(const Hdf5File& file, std::uint64_t offset, std::span<std::uint64_t> values) const;

 private:
  template <class T>
  void read_values(const Hdf5File& file, std::uint64_t offset, std::span<T> values) const;
  template <class T>
  void read_block(const Hdf5File& file, std::uint64_t offset, std::span<T> values) const;
  template <class Wide, class T>
  void read_narrowed(const Hdf5File& file, std::uint64_t offset, std::span<T> values) const;

  std::string name_;
  H5Handle dataset_;
  H5Handle type_;
  std::uint64_t size_ = 0;
};

}  // namespace Sward
