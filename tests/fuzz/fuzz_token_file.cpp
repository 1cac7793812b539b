#include "Sward_FuzzAnswer.hpp"
#include "Sward_FuzzTargets.hpp"
#include "Sward_TestFiles.hpp"
#include "Sward_TokenFile.hpp"

namespace Sward::Fuzz {

bool fuzz_token_file(std::string_view bytes) {
  static const Test::TemporaryFolder folder;
  static const std::filesystem::path file = folder / "tokens.h5";
  Test::write_file(file, std::string(bytes));
  return is_read(
      [&] {
        const TokenFile tokens(file);
        has_counting_target(tokens, 0, tokens.token_count());
        check_tokens(tokens, 0, tokens.token_count(), tokens.vocab_size());
        tokens.tokenizer_model();
        if (tokens.has_document_starts()) tokens.document_starts();
      },
      {file.native()});
}

}  // namespace Sward::Fuzz
