#pragma once

#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>

#include "Sward_InputError.hpp"

namespace Sward::Fuzz {

/// Calls `read` and takes an InputError that names one of `sources` as an answer.
template <class Read>
void accept_input_error(const Read& read, std::initializer_list<std::string_view> sources) {
  try {
    read();
  } catch (const InputError& error) {
    const std::string_view message = error.what();
    for (const std::string_view source : sources)
      if (message.find(source) != message.npos) return;
    throw std::logic_error("an InputError that names no file: " + std::string(message));
  }
}

/// Throws std::logic_error for a reader that returned what it must not.
inline void require(bool holds, const char* sentence) {
  if (!holds) throw std::logic_error(sentence);
}

}  // namespace Sward::Fuzz
