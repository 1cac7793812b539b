#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace Sward {

/// What is wrong with a text, and in which of its lines, from 1.
struct TomlFault {
  std::size_t line = 1;
  std::string what;
};

/// Looks through a text, before toml++ does, for what would end the program there. Where toml++ 3.3 looks for the end
/// of a word or of a number, any letter outside ASCII is undefined behaviour, so such letters are taken in strings and
/// comments alone, and a quote does not stand inside a number. And toml++ takes stack for each level of tables, of
/// which each dot of a key is one.
std::optional<TomlFault> find_toml_fault(std::string_view text);

}  // namespace Sward
