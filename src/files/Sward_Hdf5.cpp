#include "Sward_Hdf5.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "Sward_InputError.hpp"

namespace Sward {
namespace {

/// The innermost message of HDF5's error stack, empty if there is none. Clears the stack.
std::string take_hdf5_message() {
  std::string message;
  const auto keep_last = [](unsigned, const H5E_error2_t* error, void* text) -> herr_t {
    if (error->desc != nullptr && *error->desc != '\0') *static_cast<std::string*>(text) = error->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, keep_last, &message);
  H5Eclear2(H5E_DEFAULT);
  return message;
}

std::string with_hdf5_message(std::string message) {
  const std::string inner = take_hdf5_message();
  return inner.empty() ? message : message + " (HDF5: " + inner + ")";
}

void silence_hdf5() { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); }

std::vector<hsize_t> chunk_for(const std::vector<std::size_t>& extents, std::size_t element_bytes) {
  std::vector<hsize_t> chunk(extents.size());
  std::size_t room = std::max<std::size_t>(1, hdf5_chunk_bytes / element_bytes);
  for (std::size_t i = extents.size(); i-- > 0;) {
    const std::size_t extent = std::clamp<std::size_t>(extents[i], 1, room);
    chunk[i] = extent;
    room = std::max<std::size_t>(1, room / extent);
  }
  return chunk;
}

bool every_value_fits(hid_t stored, hid_t wanted) {
  const H5T_class_t kind = H5Tget_class(stored);
  if (kind != H5Tget_class(wanted)) return false;
  const std::size_t stored_bytes = H5Tget_size(stored);
  const std::size_t wanted_bytes = H5Tget_size(wanted);
  if (kind == H5T_FLOAT) return stored_bytes <= wanted_bytes;
  if (kind != H5T_INTEGER) return false;
  if (H5Tget_sign(stored) == H5Tget_sign(wanted)) return stored_bytes <= wanted_bytes;
  return H5Tget_sign(stored) == H5T_SGN_NONE && stored_bytes < wanted_bytes;
}

std::size_t product(const std::vector<std::size_t>& extents) {
  return std::accumulate(extents.begin(), extents.end(), std::size_t{1}, std::multiplies<>());
}

/// A creation list of this class that leaves times out, so that equal contents give equal bytes.
H5Handle without_times(hid_t property_list_class) {
  H5Handle list(H5Pcreate(property_list_class), H5Pclose);
  if (!list || H5Pset_obj_track_times(list.get(), false) < 0) return {};
  return list;
}

H5Handle file_access(bool writing) {
  H5Handle list(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  if (!list) return {};
  if (writing) {
    if (H5Pset_libver_bounds(list.get(), H5F_LIBVER_LATEST, H5F_LIBVER_LATEST) < 0) return {};
    // An object left open would otherwise keep the file unfinished behind a close that succeeds.
    if (H5Pset_fclose_degree(list.get(), H5F_CLOSE_SEMI) < 0) return {};
  }
#if H5_VERSION_GE(1, 10, 7)
  // Files appear whole under their names and parallel file systems often refuse locks.
  if (H5Pset_file_locking(list.get(), 0, 1) < 0) return {};
#endif
  return list;
}

/// 1 sign, 8 exponent and 7 fraction bits: the upper half of a float.
hid_t make_bfloat16_type() {
  const hid_t type = H5Tcopy(H5T_IEEE_F32LE);
  if (type < 0 || H5Tset_fields(type, 15, 7, 8, 0, 7) < 0 || H5Tset_precision(type, 16) < 0 ||
      H5Tset_size(type, 2) < 0 || H5Tset_ebias(type, 127) < 0)
    throw std::runtime_error(with_hdf5_message("HDF5 does not make a type for bfloat16"));
  return type;
}

}  // namespace

hid_t hdf5_bfloat16_type() {
  static const hid_t type = make_bfloat16_type();
  return type;
}

H5Handle checksummed_chunks(const std::vector<hsize_t>& chunk) {
  H5Handle list(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  if (!list || H5Pset_chunk(list.get(), static_cast<int>(chunk.size()), chunk.data()) < 0 ||
      H5Pset_fletcher32(list.get()) < 0 || H5Pset_obj_track_times(list.get(), false) < 0) {
    return {};
  }
  return list;
}

Hdf5File::Hdf5File(std::filesystem::path path, H5Handle file, bool writing)
    : path_(std::move(path)), file_(std::move(file)), writing_(writing) {
  if (!file_) fail("/", writing ? "cannot create the file" : "cannot open it as an HDF5 file");
}

Hdf5File Hdf5File::open_read(const std::filesystem::path& path) {
  silence_hdf5();
  if (!std::filesystem::exists(path)) throw InputError(fmt::format("{}: no such file", path.string()));
  const H5Handle access = file_access(false);
  return {path, H5Handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose), false};
}

Hdf5File Hdf5File::create(const std::filesystem::path& path) {
  silence_hdf5();
  const H5Handle access = file_access(true);
  const H5Handle creation = without_times(H5P_FILE_CREATE);
  return {path, H5Handle(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation.get(), access.get()), H5Fclose), true};
}

void Hdf5File::fail(const std::string& object, const std::string& message) const {
  const std::string text = with_hdf5_message(fmt::format("{}: {}: {}", path_.string(), object, message));
  if (writing_) throw std::runtime_error(text);
  throw InputError(text);
}

void Hdf5File::create_group(const std::string& name) {
  create_parents(name);
  const H5Handle creation = without_times(H5P_GROUP_CREATE);
  if (!H5Handle(H5Gcreate2(file_.get(), name.c_str(), H5P_DEFAULT, creation.get(), H5P_DEFAULT), H5Gclose)) {
    fail(name, "cannot create the group");
  }
}

/// The groups that HDF5 would make on the way to an object carry times.
void Hdf5File::create_parents(const std::string& name) {
  const std::string parent = name.substr(0, name.rfind('/'));
  if (!parent.empty() && parent != name && !exists(parent)) create_group(parent);
}

bool Hdf5File::exists(const std::string& name) const {
  // HDF5 only answers for the last link of a path whose other links exist.
  for (std::size_t end = name.find_first_not_of('/'); end != std::string::npos;) {
    end = name.find('/', end);
    const htri_t found = H5Lexists(file_.get(), name.substr(0, end).c_str(), H5P_DEFAULT);
    if (found < 0) fail(name, "cannot look it up");
    if (found == 0) return false;
    end = end == std::string::npos ? end : name.find_first_not_of('/', end);
  }
  return true;
}

std::vector<std::string> Hdf5File::names(const std::string& group) const {
  H5G_info_t info{};
  if (H5Gget_info_by_name(file_.get(), group.c_str(), &info, H5P_DEFAULT) < 0) fail(group, "cannot list the group");
  std::vector<std::string> names;
  for (hsize_t i = 0; i < info.nlinks; ++i) {
    const auto name_of = [&](char* text, std::size_t size) {
      const ssize_t length =
          H5Lget_name_by_idx(file_.get(), group.c_str(), H5_INDEX_NAME, H5_ITER_INC, i, text, size, H5P_DEFAULT);
      if (length < 0) fail(group, "cannot list the group");
      return static_cast<std::size_t>(length);
    };
    std::string name(name_of(nullptr, 0), '\0');
    name_of(name.data(), name.size() + 1);
    names.push_back(std::move(name));
  }
  return names;
}

H5Handle Hdf5File::open_dataset(const std::string& name) const {
  if (!exists(name)) fail(name, "is missing");
  H5Handle dataset(H5Dopen2(file_.get(), name.c_str(), H5P_DEFAULT), H5Dclose);
  if (!dataset) fail(name, "cannot open the dataset");
  return dataset;
}

std::vector<std::size_t> Hdf5File::extents(const std::string& name) const {
  const H5Handle dataset = open_dataset(name);
  const H5Handle space(H5Dget_space(dataset.get()), H5Sclose);
  const int rank = H5Sget_simple_extent_ndims(space.get());
  if (rank < 0) fail(name, "cannot read the extents");
  std::vector<hsize_t> extents(static_cast<std::size_t>(rank));
  if (H5Sget_simple_extent_dims(space.get(), extents.data(), nullptr) < 0) fail(name, "cannot read the extents");
  require_plausible(name, dataset, extents);
  return {extents.begin(), extents.end()};
}

std::size_t Hdf5File::require_extents(const std::string& name, const std::vector<std::size_t>& wanted) const {
  const std::vector<std::size_t> found = extents(name);
  if (found != wanted) {
    fail(name, fmt::format("has extents ({}), wanted ({})", fmt::join(found, ", "), fmt::join(wanted, ", ")));
  }
  return product(found);
}

void Hdf5File::require_plausible(const std::string& name, const H5Handle& dataset,
                                 const std::vector<hsize_t>& extents) const {
  // Deflate makes data at most 1032 times smaller. Extents come from the file, and memory is taken by them.
  constexpr hsize_t largest_ratio = 2048;
  constexpr hsize_t largest_file = hsize_t{1} << 52;
  const H5Handle type(H5Dget_type(dataset.get()), H5Tclose);
  const H5Handle creation(H5Dget_create_plist(dataset.get()), H5Pclose);
  const hsize_t element_bytes = type ? H5Tget_size(type.get()) : 0;
  hsize_t file_bytes = 0;
  if (element_bytes == 0 || !creation || H5Fget_filesize(file_.get(), &file_bytes) < 0) {
    fail(name, "cannot read its size");
  }
  hsize_t room = std::min(file_bytes, largest_file) * largest_ratio / element_bytes;
  // HDF5 1.10 reads compact data without comparing their size with the extents.
  if (H5Pget_layout(creation.get()) == H5D_COMPACT) room = H5Dget_storage_size(dataset.get()) / element_bytes;
  for (const hsize_t extent : extents) {
    if (extent == 0) return;
    room /= extent;
  }
  if (room == 0) {
    fail(name, fmt::format("has extents ({}), more than it can hold in a file of {} bytes", fmt::join(extents, ", "),
                           file_bytes));
  }
}

std::size_t Hdf5File::length(const std::string& name) const {
  const std::vector<std::size_t> found = extents(name);
  if (found.size() != 1) fail(name, fmt::format("has {} dimensions, wanted 1", found.size()));
  return found[0];
}

void Hdf5File::write_values(const std::string& name, hid_t type, const void* values, std::size_t count,
                            const std::vector<std::size_t>& extents) {
  if (extents.empty() || product(extents) != count) {
    fail(name, fmt::format("{} values do not fill the extents ({})", count, fmt::join(extents, ", ")));
  }
  const std::vector<hsize_t> size(extents.begin(), extents.end());
  const H5Handle space(H5Screate_simple(static_cast<int>(size.size()), size.data(), nullptr), H5Sclose);
  const H5Handle creation = checksummed_chunks(chunk_for(extents, H5Tget_size(type)));
  create_parents(name);
  H5Handle dataset(H5Dcreate2(file_.get(), name.c_str(), type, space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT),
                   H5Dclose);
  if (!dataset) fail(name, "cannot create the dataset");
  if (count > 0 && H5Dwrite(dataset.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0) {
    fail(name, "cannot write the dataset");
  }
  if (!dataset.close()) fail(name, "cannot finish the dataset");
}

void Hdf5File::read_values(const std::string& name, hid_t type, void* values, std::size_t count,
                           const std::vector<std::size_t>& wanted) const {
  if (require_extents(name, wanted) != count) {
    fail(name, fmt::format("{} values do not fill the extents ({})", count, fmt::join(wanted, ", ")));
  }
  const H5Handle dataset = open_dataset(name);
  const H5Handle stored(H5Dget_type(dataset.get()), H5Tclose);
  if (!stored || !every_value_fits(stored.get(), type)) fail(name, "has a type of numbers that does not fit");
  if (count > 0 && H5Dread(dataset.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0) {
    fail(name, "cannot read the dataset");
  }
}

void Hdf5File::verify(const std::string& name) const {
  const std::vector<std::size_t> found = extents(name);
  const H5Handle dataset = open_dataset(name);
  const H5Handle stored(H5Dget_type(dataset.get()), H5Tclose);
  if (!stored) fail(name, "cannot read the type");
  std::vector<std::byte> bytes(product(found) * H5Tget_size(stored.get()));
  if (!bytes.empty() && H5Dread(dataset.get(), stored.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()) < 0) {
    fail(name, "cannot read the dataset");
  }
}

bool Hdf5File::is_bfloat16(const std::string& name) const {
  const H5Handle dataset = open_dataset(name);
  const H5Handle stored(H5Dget_type(dataset.get()), H5Tclose);
  return stored && H5Tequal(stored.get(), hdf5_bfloat16_type()) > 0;
}

void Hdf5File::close() {
  if (writing_ && H5Fflush(file_.get(), H5F_SCOPE_LOCAL) < 0) fail("/", "cannot write the file out");
  if (!file_.close()) fail("/", "cannot close the file");
}

}  // namespace Sward
