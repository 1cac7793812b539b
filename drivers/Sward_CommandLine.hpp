#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "Sward_BuildDescription.hpp"
#include "Sward_InputError.hpp"

namespace Sward {

/// The outcome of parsing a program's arguments. A mistake is kept until the program's body asks for it, so that it is
/// reported like any other bad input: in one line, once for all ranks.
class CommandLine {
 public:
  CommandLine(CLI::App& app, int argc, char** argv) {
    app.set_version_flag("--version", build_description(), "Print version and build, and exit");
    try {
      app.parse(argc, argv);
    } catch (const CLI::Success& wish) {
      app.exit(wish);
      shows_help_ = true;
    } catch (const CLI::ParseError& error) {
      mistake_ = error.what();
    }
  }

  /// --help or --version was asked for and has been printed.
  bool shows_help() const { return shows_help_; }

  /// Throws InputError with the mistake, if there is one.
  void require_valid() const {
    if (!mistake_.empty()) throw InputError(mistake_ + "; see --help");
  }

 private:
  bool shows_help_ = false;
  std::string mistake_;
};

}  // namespace Sward
