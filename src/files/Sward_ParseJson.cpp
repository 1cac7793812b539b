#include "Sward_ParseJson.hpp"

#include <istream>
#include <nlohmann/json.hpp>

namespace Sward {
namespace {

using Json = nlohmann::json;

constexpr int most_levels = 64;

template <class Input>
Json parse_shallow(Input& input) {
  bool too_deep = false;
  const auto keep = [&](int depth, Json::parse_event_t, Json&) {
    too_deep = too_deep || depth > most_levels;
    return !too_deep;
  };
  Json value = Json::parse(input, keep, false);
  return too_deep ? Json(Json::value_t::discarded) : value;
}

}  // namespace

Json parse_json(std::string_view text) { return parse_shallow(text); }

Json parse_json(std::istream& stream) { return parse_shallow(stream); }

}  // namespace Sward
