#pragma once

#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>

#include "Sward_InputError.hpp"

namespace Sward::Fuzz {

/// Calls `read`, which returns or is refused by an InputError that names one of `sources`; false then.
template <class Read>
bool is_read(const Read& read, std::initializer_list<std::string_view> sources) {
  try {
    read();
    return true;
  } catch (const InputError& error) {
    const std::string_view message = error.what();
    for (const std::string_view source : sources)
      if (message.find(source) != message.npos) return false;
    throw std::logic_error("an InputError that names no file: " + std::string(message));
  }
}

/// Throws std::logic_error for a reader that returned what it must not.
inline void require(bool holds, const char* sentence) {
  if (!holds) throw std::logic_error(sentence);
}

}  // namespace Sward::Fuzz
