#include "Sward_TomlFault.hpp"

#include <algorithm>

namespace Sward {
namespace {

// 16,000 levels were seen to fit a stack of 8 MiB, 32,000 to overflow it.
constexpr int most_dots = 10'000;

/// Where the string ends that begins at `begin`; a string of one line ends with its line at the latest.
std::size_t end_of_string(std::string_view text, std::size_t begin) {
  const char quote = text[begin];
  const std::string delimiter(3, quote);
  const bool many_lines = text.substr(begin, 3) == delimiter;
  std::size_t i = begin + (many_lines ? 3 : 1);
  for (; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (!many_lines && (text[i] == quote || text[i] == '\n')) {
      return i + 1;
    } else if (many_lines && text.substr(i, 3) == delimiter) {
      // One or two more quotes belong to the string.
      const std::size_t end = std::min(text.find_first_not_of(quote, i), text.size());
      return std::min(end, i + 5);
    }
  }
  return text.size();
}

bool is_plain(char letter) {
  return (letter >= ' ' && letter <= '~') || letter == '\t' || letter == '\n' || letter == '\r';
}

/// Where in a string, from its quote to its end, a backslash stands before another letter than these, perhaps on the
/// next line: toml++ asks of that letter whether it is white space. The end where there is none.
std::size_t find_strange_escape(std::string_view text, std::size_t begin, std::size_t end) {
  for (std::size_t i = begin; i < end && text[begin] == '"'; ++i) {
    if (text[i] != '\\') continue;
    const std::size_t escaped = text.find_first_not_of(" \t\r\n", i + 1);
    if (escaped < end && !is_plain(text[escaped])) return i;
    ++i;
  }
  return end;
}

/// Follows text outside quotes and comments, for whether it stands in a number.
class Words {
 public:
  void end() { in_word_ = in_number_ = false; }
  void add(char letter) {
    if (std::string_view(" \t\r\n,]}").find(letter) != std::string_view::npos) return end();
    // A number that goes on with one of these is a mistake, but toml++ reads on to its end.
    if (!in_number_ && std::string_view("=[{").find(letter) != std::string_view::npos) return end();
    if (!in_word_) in_number_ = (letter >= '0' && letter <= '9') || letter == '+' || letter == '-';
    in_word_ = true;
  }
  bool in_number() const { return in_number_; }

 private:
  bool in_word_ = false;
  bool in_number_ = false;
};

}  // namespace

std::optional<TomlFault> find_toml_fault(std::string_view text) {
  const auto at = [&](std::size_t place, std::string what) {
    const auto lines = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(place), '\n');
    return TomlFault{static_cast<std::size_t>(lines) + 1, std::move(what)};
  };
  int dots = 0;
  Words words;
  std::size_t i = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  while (i < text.size()) {
    const char letter = text[i];
    if (letter == '"' || letter == '\'') {
      if (words.in_number()) return at(i, "a quote stands inside a number");
      const std::size_t end = end_of_string(text, i);
      if (const std::size_t place = find_strange_escape(text, i, end); place < end)
        return at(place, "a backslash stands before a character other than plain ASCII");
      i = end;
    } else if (letter == '#') {
      i = std::min(text.find('\n', i), text.size());
      words.end();
    } else if (!is_plain(letter)) {
      return at(i, "a character other than plain ASCII stands outside quotes");
    } else if (letter == '.' && ++dots > most_dots) {
      return at(
          i, "the text has more than " + std::to_string(most_dots) + " dots outside quotes, so keys may nest too deep");
    } else {
      words.add(letter);
      ++i;
    }
  }
  return std::nullopt;
}

}  // namespace Sward
