#include "Sward_Hdf5Appender.hpp"

#include <algorithm>

namespace Sward {

template <Hdf5Number T>
Hdf5Appender<T>::Hdf5Appender(const Hdf5File& file, const std::string& name, std::size_t chunk)
    : name_(name), chunk_(chunk) {
  const hsize_t size = 0;
  const hsize_t limit = H5S_UNLIMITED;
  const H5Handle space(H5Screate_simple(1, &size, &limit), H5Sclose);
  const H5Handle creation = checksummed_chunks({chunk});
  dataset_ = H5Handle(H5Dcreate2(file.identifier(), name.c_str(), hdf5_type<T>(), space.get(), H5P_DEFAULT,
                                 creation.get(), H5P_DEFAULT),
                      H5Dclose);
  if (!dataset_) file.fail(name, "cannot create the dataset");
  pending_.reserve(chunk);
}

template <Hdf5Number T>
void Hdf5Appender<T>::append(const Hdf5File& file, std::span<const T> values) {
  while (!values.empty()) {
    const std::size_t count = std::min(values.size(), chunk_ - pending_.size());
    pending_.insert(pending_.end(), values.begin(), values.begin() + static_cast<std::ptrdiff_t>(count));
    values = values.subspan(count);
    if (pending_.size() == chunk_) write_pending(file);
  }
}

template <Hdf5Number T>
void Hdf5Appender<T>::truncate(const Hdf5File& file, std::uint64_t size) {
  if (size >= written_) {
    pending_.resize(std::min(pending_.size(), static_cast<std::size_t>(size - written_)));
    return;
  }
  // Chunks are written whole, so the last one comes back into memory.
  pending_.resize(size % chunk_);
  written_ = size - pending_.size();
  if (!pending_.empty()) read_pending(file);
  const hsize_t extent = written_;
  if (H5Dset_extent(dataset_.get(), &extent) < 0) file.fail(name_, "cannot shorten the dataset");
}

template <Hdf5Number T>
void Hdf5Appender<T>::finish(const Hdf5File& file) {
  if (!pending_.empty()) write_pending(file);
  if (!dataset_.close()) file.fail(name_, "cannot finish the dataset");
}

template <Hdf5Number T>
void Hdf5Appender<T>::write_pending(const Hdf5File& file) {
  const hsize_t start = written_;
  const hsize_t count = pending_.size();
  const hsize_t size = start + count;
  if (H5Dset_extent(dataset_.get(), &size) < 0) file.fail(name_, "cannot extend the dataset");
  const H5Handle stored(H5Dget_space(dataset_.get()), H5Sclose);
  const H5Handle memory(H5Screate_simple(1, &count, nullptr), H5Sclose);
  if (H5Sselect_hyperslab(stored.get(), H5S_SELECT_SET, &start, nullptr, &count, nullptr) < 0 ||
      H5Dwrite(dataset_.get(), hdf5_type<T>(), memory.get(), stored.get(), H5P_DEFAULT, pending_.data()) < 0) {
    file.fail(name_, "cannot write to the dataset");
  }
  written_ += count;
  pending_.clear();
}

template <Hdf5Number T>
void Hdf5Appender<T>::read_pending(const Hdf5File& file) {
  const hsize_t start = written_;
  const hsize_t count = pending_.size();
  const H5Handle stored(H5Dget_space(dataset_.get()), H5Sclose);
  const H5Handle memory(H5Screate_simple(1, &count, nullptr), H5Sclose);
  if (H5Sselect_hyperslab(stored.get(), H5S_SELECT_SET, &start, nullptr, &count, nullptr) < 0 ||
      H5Dread(dataset_.get(), hdf5_type<T>(), memory.get(), stored.get(), H5P_DEFAULT, pending_.data()) < 0) {
    file.fail(name_, "cannot read the dataset back");
  }
}

template class Hdf5Appender<std::uint8_t>;
template class Hdf5Appender<std::uint16_t>;
template class Hdf5Appender<std::uint32_t>;
template class Hdf5Appender<std::uint64_t>;

}  // namespace Sward
