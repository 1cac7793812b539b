#include "Sward_Agreement.hpp"

#include <algorithm>

#include "Sward_InputError.hpp"

namespace Sward {

namespace {

// Neither is in a name or a value that came from a text file's lines.
constexpr char end_of_name = '\x1f';
constexpr char end_of_fact = '\x1e';

std::string to_text(const Facts& facts) {
  std::string text;
  for (const auto& [name, value] : facts) text += name + end_of_name + value + end_of_fact;
  return text;
}

Facts from_text(const std::string& text) {
  Facts facts;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t middle = text.find(end_of_name, begin);
    const std::size_t end = text.find(end_of_fact, middle);
    facts.emplace_back(text.substr(begin, middle - begin), text.substr(middle + 1, end - middle - 1));
    begin = end + 1;
  }
  return facts;
}

std::string value_of(const Facts& facts, const std::string& name) {
  const auto found = std::find_if(facts.begin(), facts.end(), [&](const auto& fact) { return fact.first == name; });
  return found == facts.end() ? "nothing" : found->second;
}

std::string first_difference(int rank, const Facts& wanted, const Facts& found) {
  for (const Facts& names : {wanted, found})
    for (const auto& [name, value] : names)
      if (value_of(wanted, name) != value_of(found, name))
        return name + " is " + value_of(found, name) + " on rank " + std::to_string(rank) + " and " +
               value_of(wanted, name) + " on rank 0";
  return {};
}

}  // namespace

void check_agreement(const ProcessGroup& group, const Facts& facts) {
  const Facts wanted = from_text(group.broadcast(to_text(facts), 0));
  const std::string difference = first_difference(group.rank(), wanted, facts);
  const auto size = static_cast<std::uint64_t>(group.size());
  const std::uint64_t first = group.minimum(difference.empty() ? size : static_cast<std::uint64_t>(group.rank()));
  if (first < size) throw InputError(group.broadcast(difference, static_cast<int>(first)));
}

}  // namespace Sward
