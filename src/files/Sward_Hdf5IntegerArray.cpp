#include "Sward_Hdf5IntegerArray.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

namespace Sward {

Hdf5IntegerArray::Hdf5IntegerArray(const Hdf5File& file, const std::string& name) : name_(name) {
  const std::vector<std::size_t> extents = file.extents(name);
  if (extents.size() != 1) file.fail(name, fmt::format("has {} dimensions, wanted 1", extents.size()));
  dataset_ = H5Handle(H5Dopen2(file.identifier(), name.c_str(), H5P_DEFAULT), H5Dclose);
  type_ = H5Handle(H5Dget_type(dataset_.get()), H5Tclose);
  if (!dataset_ || !type_) file.fail(name, "cannot open the dataset");
  if (H5Tget_class(type_.get()) != H5T_INTEGER || H5Tget_size(type_.get()) > 8)
    file.fail(name, "does not hold integers");
  size_ = extents[0];
}

void Hdf5IntegerArray::read(const Hdf5File& file, std::uint64_t offset, std::span<std::uint32_t> values) const {
  read_values(file, offset, values);
}

void Hdf5IntegerArray::read(const Hdf5File& file, std::uint64_t offset, std::span<std::uint64_t> values) const {
  read_values(file, offset, values);
}

template <class T>
void Hdf5IntegerArray::read_values(const Hdf5File& file, std::uint64_t offset, std::span<T> values) const {
  if (offset > size_ || values.size() > size_ - offset) {
    file.fail(name_, fmt::format("has {} values, wanted {} from {}", size_, values.size(), offset));
  }
  if (values.empty()) return;
  const bool is_unsigned = H5Tget_sign(type_.get()) == H5T_SGN_NONE;
  if (is_unsigned && H5Tget_size(type_.get()) <= sizeof(T)) return read_block(file, offset, values);
  // HDF5 clips what does not fit, so anything else is read wide and checked here.
  if (is_unsigned) return read_narrowed<std::uint64_t>(file, offset, values);
  read_narrowed<std::int64_t>(file, offset, values);
}

template <class T>
void Hdf5IntegerArray::read_block(const Hdf5File& file, std::uint64_t offset, std::span<T> values) const {
  const hsize_t start = offset;
  const hsize_t count = values.size();
  const H5Handle stored(H5Dget_space(dataset_.get()), H5Sclose);
  const H5Handle memory(H5Screate_simple(1, &count, nullptr), H5Sclose);
  if (!memory || H5Sselect_hyperslab(stored.get(), H5S_SELECT_SET, &start, nullptr, &count, nullptr) < 0 ||
      H5Dread(dataset_.get(), hdf5_type<T>(), memory.get(), stored.get(), H5P_DEFAULT, values.data()) < 0) {
    file.fail(name_, fmt::format("cannot read {} values from {}", count, offset));
  }
}

template <class Wide, class T>
void Hdf5IntegerArray::read_narrowed(const Hdf5File& file, std::uint64_t offset, std::span<T> values) const {
  constexpr std::size_t block_size = 1 << 16;
  std::vector<Wide> block(std::min(block_size, values.size()));
  for (std::size_t done = 0; done < values.size(); done += block.size()) {
    const std::size_t count = std::min(block.size(), values.size() - done);
    read_block(file, offset + done, std::span<Wide>(block.data(), count));
    for (std::size_t i = 0; i < count; ++i) {
      if (!std::in_range<T>(block[i])) {
        file.fail(name_, fmt::format("{} at position {} is not in 0 to 2^{} - 1", block[i], offset + done + i,
                                     std::numeric_limits<T>::digits));
      }
      values[done + i] = static_cast<T>(block[i]);
    }
  }
}

}  // namespace Sward
