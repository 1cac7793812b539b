#pragma once

#include <stdexcept>

namespace Sward {

/// Bad input: the message names the file and the key, object or shape at fault. Programs exit with status 2.
class InputError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace Sward
