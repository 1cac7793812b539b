#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "Sward_Hdf5.hpp"

namespace Sward {
namespace {

struct OpenAttribute {
  H5Handle attribute;
  H5Handle type;
};

OpenAttribute open_attribute(const Hdf5File& file, const std::string& object, const std::string& name) {
  if (!file.has_attribute(object, name)) file.fail(object, fmt::format("attribute '{}' is missing", name));
  H5Handle attribute(H5Aopen_by_name(file.identifier(), object.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT),
                     H5Aclose);
  H5Handle type(H5Aget_type(attribute.get()), H5Tclose);
  const H5Handle space(H5Aget_space(attribute.get()), H5Sclose);
  if (!attribute || !type || !space) file.fail(object, fmt::format("cannot open attribute '{}'", name));
  if (H5Sget_simple_extent_npoints(space.get()) != 1) {
    file.fail(object, fmt::format("attribute '{}' does not hold exactly one value", name));
  }
  return {std::move(attribute), std::move(type)};
}

void require_kind(const Hdf5File& file, const std::string& object, const std::string& name, bool holds,
                  const char* wanted) {
  if (!holds) file.fail(object, fmt::format("attribute '{}' is not {}", name, wanted));
}

template <class T>
T read_number(const Hdf5File& file, const std::string& object, const std::string& name, const OpenAttribute& open) {
  T value{};
  if (H5Aread(open.attribute.get(), hdf5_type<T>(), &value) < 0) {
    file.fail(object, fmt::format("cannot read attribute '{}'", name));
  }
  return value;
}

template <class T>
T read_integer(const Hdf5File& file, const std::string& object, const std::string& name) {
  const OpenAttribute open = open_attribute(file, object, name);
  require_kind(file, object, name, H5Tget_class(open.type.get()) == H5T_INTEGER && H5Tget_size(open.type.get()) <= 8,
               "an integer");
  const auto narrow = [&](auto value) {
    require_kind(file, object, name, std::in_range<T>(value), "in the range of its integer type");
    return static_cast<T>(value);
  };
  if (H5Tget_sign(open.type.get()) == H5T_SGN_NONE) return narrow(read_number<std::uint64_t>(file, object, name, open));
  return narrow(read_number<std::int64_t>(file, object, name, open));
}

std::string read_variable_text(const Hdf5File& file, const std::string& object, const std::string& name,
                               const OpenAttribute& open) {
  char* text = nullptr;
  if (H5Aread(open.attribute.get(), open.type.get(), static_cast<void*>(&text)) < 0) {
    file.fail(object, fmt::format("cannot read attribute '{}'", name));
  }
  const std::unique_ptr<char, herr_t (*)(void*)> owner(text, H5free_memory);
  return text == nullptr ? std::string() : std::string(text);
}

std::string read_fixed_text(const Hdf5File& file, const std::string& object, const std::string& name,
                            const OpenAttribute& open) {
  const std::size_t size = H5Tget_size(open.type.get());
  hsize_t file_bytes = 0;
  if (H5Fget_filesize(file.identifier(), &file_bytes) < 0 || size > file_bytes) {
    file.fail(object, fmt::format("attribute '{}' has {} bytes of text, more than the file", name, size));
  }
  std::string text(size, '\0');
  if (H5Aread(open.attribute.get(), open.type.get(), text.data()) < 0) {
    file.fail(object, fmt::format("cannot read attribute '{}'", name));
  }
  text.resize(std::min(text.find('\0'), text.size()));
  if (H5Tget_strpad(open.type.get()) == H5T_STR_SPACEPAD) text.resize(text.find_last_not_of(' ') + 1);
  return text;
}

void write_value(const Hdf5File& file, const std::string& object, const std::string& name, hid_t type,
                 const void* value) {
  const H5Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  H5Handle attribute(H5Acreate_by_name(file.identifier(), object.c_str(), name.c_str(), type, space.get(), H5P_DEFAULT,
                                       H5P_DEFAULT, H5P_DEFAULT),
                     H5Aclose);
  if (!attribute || H5Awrite(attribute.get(), type, value) < 0 || !attribute.close()) {
    file.fail(object, fmt::format("cannot write attribute '{}'", name));
  }
}

}  // namespace

bool Hdf5File::has_attribute(const std::string& object, const std::string& name) const {
  const htri_t found = H5Aexists_by_name(identifier(), object.c_str(), name.c_str(), H5P_DEFAULT);
  if (found < 0) fail(object, fmt::format("cannot look up attribute '{}'", name));
  return found > 0;
}

void Hdf5File::write_attribute(const std::string& object, const std::string& name, std::int64_t value) {
  write_value(*this, object, name, H5T_NATIVE_INT64, &value);
}

void Hdf5File::write_attribute(const std::string& object, const std::string& name, std::uint64_t value) {
  write_value(*this, object, name, H5T_NATIVE_UINT64, &value);
}

void Hdf5File::write_attribute(const std::string& object, const std::string& name, double value) {
  write_value(*this, object, name, H5T_NATIVE_DOUBLE, &value);
}

void Hdf5File::write_attribute(const std::string& object, const std::string& name, std::string_view value) {
  // One byte more than the text, so that an empty one has a valid size too.
  const std::string text(value);
  const H5Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  if (!type || H5Tset_size(type.get(), text.size() + 1) < 0 || H5Tset_cset(type.get(), H5T_CSET_UTF8) < 0) {
    fail(object, fmt::format("cannot write attribute '{}'", name));
  }
  write_value(*this, object, name, type.get(), text.c_str());
}

template <>
std::int64_t Hdf5File::attribute<std::int64_t>(const std::string& object, const std::string& name) const {
  return read_integer<std::int64_t>(*this, object, name);
}

template <>
std::uint64_t Hdf5File::attribute<std::uint64_t>(const std::string& object, const std::string& name) const {
  return read_integer<std::uint64_t>(*this, object, name);
}

template <>
double Hdf5File::attribute<double>(const std::string& object, const std::string& name) const {
  const OpenAttribute open = open_attribute(*this, object, name);
  const H5T_class_t kind = H5Tget_class(open.type.get());
  require_kind(*this, object, name, kind == H5T_FLOAT || kind == H5T_INTEGER, "a number");
  return read_number<double>(*this, object, name, open);
}

template <>
std::string Hdf5File::attribute<std::string>(const std::string& object, const std::string& name) const {
  const OpenAttribute open = open_attribute(*this, object, name);
  require_kind(*this, object, name, H5Tget_class(open.type.get()) == H5T_STRING, "text");
  if (H5Tis_variable_str(open.type.get()) > 0) return read_variable_text(*this, object, name, open);
  return read_fixed_text(*this, object, name, open);
}

}  // namespace Sward
