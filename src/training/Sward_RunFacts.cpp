#include "Sward_RunFacts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "Sward_Fnv1a.hpp"
#include "Sward_TokenFile.hpp"

namespace Sward {

namespace {

std::string text_of(std::uint64_t hash) { return fmt::format("{:016x}", hash); }

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(' ');
  const std::size_t end = text.find_last_not_of(' ');
  return begin == std::string::npos ? "" : text.substr(begin, end + 1 - begin);
}

}  // namespace

Facts configuration_facts(const Configuration& configuration) {
  Facts facts;
  const auto add = [&](const std::string& key, const std::string& value) {
    // Rank 0 alone writes there; whether all find the same checkpoints in theirs is looked at apart.
    if (key != "output.directory") facts.emplace_back("key '" + key + "'", value);
  };
  std::string section;
  std::istringstream lines(configuration.text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t equals = line.find('=');
    if (line.starts_with('[') && equals == std::string::npos)
      section = line.substr(1, line.find(']') - 1);
    else if (equals != std::string::npos)
      add(section + "." + trimmed(line.substr(0, equals)), trimmed(line.substr(equals + 1)));
  }
  return facts;
}

Facts token_file_facts(const std::string& key, const TokenFile& file) {
  constexpr std::uint64_t samples = 16;
  constexpr std::uint64_t sample_tokens = 1024;
  std::uint64_t fingerprint = fnv1a("");
  for (std::uint64_t i = 0; i < samples; ++i) {
    const std::uint64_t first = file.token_count() * i / samples;
    const auto tokens = file.read(first, std::min(sample_tokens, file.token_count() - first));
    fingerprint = fnv1a(bytes_of(tokens.data(), tokens.size()), fingerprint);
  }
  const std::string name = "'" + key + "' " + file.path().string() + ": ";
  return {{name + "the number of tokens", std::to_string(file.token_count())},
          {name + "the vocabulary", std::to_string(file.vocab_size())},
          {name + "whether there is a loss mask", file.has_loss_mask() ? "true" : "false"},
          {name + "the fingerprint of its tokens", text_of(fingerprint)}};
}

template <class ExecutionSpace, class Scalar>
Fact weight_fact(const ExecutionSpace& space, const Llama<ExecutionSpace, Scalar>& model, std::size_t parameter) {
  constexpr std::size_t sample = 4096;
  space.fence("Sward::weight_fact");
  const auto row = Kokkos::subview(model.weights()[parameter], 0, Kokkos::ALL);
  const auto part = Kokkos::subview(row, std::pair<std::size_t, std::size_t>(0, std::min(sample, row.extent(0))));
  const auto host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, part);
  return {"the fingerprint of the weight " + model.parameters()[parameter].name,
          text_of(fnv1a(bytes_of(host.data(), host.size())))};
}

template Fact weight_fact(const Kokkos::DefaultExecutionSpace&, const Llama<Kokkos::DefaultExecutionSpace, float>&,
                          std::size_t);
template Fact weight_fact(const Kokkos::DefaultExecutionSpace&, const Llama<Kokkos::DefaultExecutionSpace, BFloat16>&,
                          std::size_t);

}  // namespace Sward
