#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <stdexcept>
#include <string>

namespace Sward {

/// Raised, in release builds too, when the extents of a kernel's arguments do not fit together.
class ExtentError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

/// "(3, 4)" for a list of extents.
inline std::string extents_text(std::initializer_list<std::size_t> extents) {
  std::string text = "(";
  for (const std::size_t extent : extents) text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + ")";
}

/// Throws ExtentError with the function, the argument, what it got and what it wanted, unless both are equal.
inline void require_extents(const char* function, const char* argument, std::initializer_list<std::size_t> got,
                            std::initializer_list<std::size_t> wanted) {
  if (std::equal(got.begin(), got.end(), wanted.begin(), wanted.end())) return;
  throw ExtentError(std::string(function) + ": " + argument + " has extents " + extents_text(got) + ", wanted " +
                    extents_text(wanted));
}

/// Throws std::invalid_argument with the function and the sentence, unless the condition holds.
inline void require(bool condition, const char* function, const std::string& sentence) {
  if (!condition) throw std::invalid_argument(std::string(function) + ": " + sentence);
}

}  // namespace Sward
