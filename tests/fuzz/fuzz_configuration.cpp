#include <sstream>
#include <string>
#include <vector>

#include "Sward_Configuration.hpp"
#include "Sward_FuzzAnswer.hpp"
#include "Sward_FuzzTargets.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Fuzz {
namespace {

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  std::istringstream stream{std::string(text)};
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace

bool fuzz_configuration(std::string_view bytes) {
  static const Test::TemporaryFolder folder;
  static const std::filesystem::path file = folder / "run.toml";
  constexpr std::string_view separator = "\n--set\n";
  const std::size_t end = bytes.find(separator);
  const std::vector<std::string> settings =
      end == bytes.npos ? std::vector<std::string>() : lines_of(bytes.substr(end + separator.size()));
  // An initial model would be any file of this machine.
  if (bytes.find("initial") != bytes.npos) return false;
  Test::write_file(file, std::string(bytes.substr(0, end)));
  return is_read(
      [&] {
        const Configuration first = read_configuration(file, settings);
        // A checkpoint keeps the text, which must then mean the same.
        Test::write_file(file, first.text);
        require(read_configuration(file).text == first.text, "a configuration's text reads as another one");
      },
      {file.native(), "--set "});
}

}  // namespace Sward::Fuzz
