#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "Sward_Hdf5.hpp"

namespace Sward {

/// A growing 1-D dataset, chunked with Fletcher-32 checksums, written one whole chunk at a time.
/// The file must outlive it.
template <Hdf5Number T>
class Hdf5Appender {
 public:
  /// Creates the dataset, empty, with chunks of this many values.
  Hdf5Appender(const Hdf5File& file, const std::string& name, std::size_t chunk);

  /// Writes whole chunks, and keeps what is left over for the next call.
  void append(const Hdf5File& file, std::span<const T> values);
  /// Takes back the values from this position on.
  void truncate(const Hdf5File& file, std::uint64_t size);
  /// Writes what is left and closes the dataset.
  void finish(const Hdf5File& file);
  /// Number of values appended.
  std::uint64_t size() const { return written_ + pending_.size(); }

 private:
  void write_pending(const Hdf5File& file);
  void read_pending(const Hdf5File& file);

  std::string name_;
  H5Handle dataset_;
  std::size_t chunk_;
  std::vector<T> pending_;
  std::uint64_t written_ = 0;
};

}  // namespace Sward
