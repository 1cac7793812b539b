#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "Sward_H5Handle.hpp"

namespace Sward {

/// A bfloat16 as its bits. In the file it is a float type of two bytes that any program built on HDF5 reads as float.
struct Hdf5BFloat16 {
  std::uint16_t bits;
};

/// HDF5's description of it, valid for the life of the process. Throws std::runtime_error when HDF5 refuses it.
hid_t hdf5_bfloat16_type();

/// The numbers that datasets are made of.
template <class T>
concept Hdf5Number = std::same_as<T, Hdf5BFloat16> || std::same_as<T, float> || std::same_as<T, double> ||
    std::same_as<T, std::int32_t> || std::same_as<T, std::int64_t> || std::same_as<T, std::uint8_t> ||
    std::same_as<T, std::uint16_t> || std::same_as<T, std::uint32_t> || std::same_as<T, std::uint64_t>;

/// What an attribute is read as.
template <class T>
concept Hdf5AttributeValue = std::same_as<T, std::int64_t> || std::same_as<T, std::uint64_t> ||
    std::same_as<T, double> || std::same_as<T, std::string>;

/// HDF5's own name of a number in memory.
template <Hdf5Number T>
hid_t hdf5_type() {
  if constexpr (std::same_as<T, Hdf5BFloat16>) return hdf5_bfloat16_type();
  if constexpr (std::same_as<T, float>) return H5T_NATIVE_FLOAT;
  if constexpr (std::same_as<T, double>) return H5T_NATIVE_DOUBLE;
  if constexpr (std::same_as<T, std::int32_t>) return H5T_NATIVE_INT32;
  if constexpr (std::same_as<T, std::int64_t>) return H5T_NATIVE_INT64;
  if constexpr (std::same_as<T, std::uint8_t>) return H5T_NATIVE_UINT8;
  if constexpr (std::same_as<T, std::uint16_t>) return H5T_NATIVE_UINT16;
  if constexpr (std::same_as<T, std::uint32_t>) return H5T_NATIVE_UINT32;
  if constexpr (std::same_as<T, std::uint64_t>) return H5T_NATIVE_UINT64;
}

/// The most that one chunk of a dataset holds: the unit of a read and of a checksum, and what HDF5 caches of a dataset
/// by default.
inline constexpr std::size_t hdf5_chunk_bytes = std::size_t{1} << 20;

/// One HDF5 file, either read or newly written; objects are named by their path in it ("/weights/head").
/// Every failure is an exception naming the file and the object: InputError for a file that is read,
/// std::runtime_error for one that is written. Groups on the way to a new object are made on demand.
class Hdf5File {
 public:
  /// Opens an existing file for reading.
  static Hdf5File open_read(const std::filesystem::path& path);
  /// Creates a file, over an existing one if need be, whose metadata carries checksums (latest library bounds).
  static Hdf5File create(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  hid_t identifier() const { return file_.get(); }

  /// An empty group; one that is there already is an error.
  void create_group(const std::string& name);
  /// Whether there is a group or a dataset of this name.
  bool exists(const std::string& name) const;
  /// The names of a group's members, without the group's own path, in alphabetical order.
  std::vector<std::string> names(const std::string& group) const;
  /// Extents of a dataset; none for a scalar. Throws where they claim more than a file of this size can hold.
  std::vector<std::size_t> extents(const std::string& name) const;

  /// Writes a row-major dataset of one or more dimensions, chunked, with Fletcher-32 checksums.
  template <Hdf5Number T>
  void write(const std::string& name, std::span<const T> values, const std::vector<std::size_t>& extents) {
    write_values(name, hdf5_type<T>(), values.data(), values.size(), extents);
  }
  template <Hdf5Number T>
  void write(const std::string& name, std::span<const T> values) {
    write(name, values, {values.size()});
  }

  /// Reads a whole dataset of exactly these extents. The type in the file may differ where every value of it fits.
  template <Hdf5Number T>
  void read(const std::string& name, std::span<T> values, const std::vector<std::size_t>& extents) const {
    read_values(name, hdf5_type<T>(), values.data(), values.size(), extents);
  }
  /// The same into new memory, which is taken only once the dataset is known to have these extents.
  template <Hdf5Number T>
  std::vector<T> read(const std::string& name, const std::vector<std::size_t>& extents) const {
    std::vector<T> values(require_extents(name, extents));
    read(name, std::span<T>(values), extents);
    return values;
  }
  /// Reads a whole 1-D dataset of any length.
  template <Hdf5Number T>
  std::vector<T> read(const std::string& name) const {
    return read<T>(name, {length(name)});
  }

  /// Whether a dataset is stored as bfloat16.
  bool is_bfloat16(const std::string& name) const;

  /// Reads a whole dataset of any type and keeps nothing: every checksum of it is compared.
  void verify(const std::string& name) const;

  /// Of a group or a dataset.
  bool has_attribute(const std::string& object, const std::string& name) const;
  /// Attributes are scalars; text is stored with a fixed length, which the metadata checksum covers (variable-length
  /// text would lie in a heap without one).
  void write_attribute(const std::string& object, const std::string& name, std::int64_t value);
  void write_attribute(const std::string& object, const std::string& name, std::uint64_t value);
  void write_attribute(const std::string& object, const std::string& name, double value);
  void write_attribute(const std::string& object, const std::string& name, std::string_view value);
  /// Reads one value: integers of any width that fit, text of fixed or variable length, numbers as double.
  template <Hdf5AttributeValue T>
  T attribute(const std::string& object, const std::string& name) const;

  /// Writes everything out and closes. Throws when that fails, so a writer calls it before it relies on the file.
  void close();

  /// Throws the file's kind of error for this object, with HDF5's own message appended.
  [[noreturn]] void fail(const std::string& object, const std::string& message) const;

 private:
  Hdf5File(std::filesystem::path path, H5Handle file, bool writing);

  void create_parents(const std::string& name);
  H5Handle open_dataset(const std::string& name) const;
  std::size_t length(const std::string& name) const;
  /// Returns the number of elements.
  std::size_t require_extents(const std::string& name, const std::vector<std::size_t>& wanted) const;
  void require_plausible(const std::string& name, const H5Handle& dataset, const std::vector<hsize_t>& extents) const;
  void write_values(const std::string& name, hid_t type, const void* values, std::size_t count,
                    const std::vector<std::size_t>& extents);
  void read_values(const std::string& name, hid_t type, void* values, std::size_t count,
                   const std::vector<std::size_t>& extents) const;

  std::filesystem::path path_;
  H5Handle file_;
  bool writing_ = false;
};

/// The types that there are.
template <>
std::int64_t Hdf5File::attribute<std::int64_t>(const std::string& object, const std::string& name) const;
template <>
std::uint64_t Hdf5File::attribute<std::uint64_t>(const std::string& object, const std::string& name) const;
template <>
double Hdf5File::attribute<double>(const std::string& object, const std::string& name) const;
template <>
std::string Hdf5File::attribute<std::string>(const std::string& object, const std::string& name) const;

/// Property list of a chunked dataset with Fletcher-32 checksums, without time stamps, so that equal data give equal
/// bytes. Empty on failure.
H5Handle checksummed_chunks(const std::vector<hsize_t>& chunk);

}  // namespace Sward
