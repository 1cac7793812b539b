#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace Sward {

/// Bad input: the message names the file and the key, object or shape at fault. Programs exit with status 2.
class InputError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Bad input with several things at fault, each of which programs report in a line of its own.
class InputErrorList : public InputError {
 public:
  /// `lines` must not be empty.
  explicit InputErrorList(std::vector<std::string> lines) : InputError(joined(lines)), lines_(std::move(lines)) {}

  const std::vector<std::string>& lines() const { return lines_; }

 private:
  static std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) text += (text.empty() ? "" : "\n") + line;
    return text;
  }

  std::vector<std::string> lines_;
};

}  // namespace Sward
