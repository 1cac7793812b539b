#pragma once

#include <hdf5.h>

#include <utility>

namespace Sward {

/// Owns one HDF5 identifier and closes it with the function that belongs to its kind. Move-only.
class H5Handle {
 public:
  using Close = herr_t (*)(hid_t);

  H5Handle() = default;
  /// A negative identifier, which HDF5 returns on failure, makes an empty handle.
  H5Handle(hid_t identifier, Close close_function) : identifier_(identifier), close_(close_function) {}
  ~H5Handle() { close(); }
  H5Handle(H5Handle&& other) noexcept
      : identifier_(std::exchange(other.identifier_, H5I_INVALID_HID)), close_(other.close_) {}
  H5Handle& operator=(H5Handle&& other) noexcept {
    if (this != &other) {
      close();
      identifier_ = std::exchange(other.identifier_, H5I_INVALID_HID);
      close_ = other.close_;
    }
    return *this;
  }
  H5Handle(const H5Handle&) = delete;
  H5Handle& operator=(const H5Handle&) = delete;

  hid_t get() const { return identifier_; }
  explicit operator bool() const { return identifier_ >= 0; }

  /// Closes now; false when HDF5 reported an error, as it does when the last bytes could not be written.
  bool close() noexcept {
    const hid_t identifier = std::exchange(identifier_, H5I_INVALID_HID);
    return identifier < 0 || close_(identifier) >= 0;
  }

 private:
  hid_t identifier_ = H5I_INVALID_HID;
  Close close_ = nullptr;
};

}  // namespace Sward
