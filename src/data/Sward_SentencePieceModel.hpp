#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace Sward {

/// What decides where the pieces of a SentencePiece model can begin and end; its programming interface tells none of
/// it.
struct SentencePieceModel {
  /// Pieces that text is matched with: ordinary and user-defined ones, with U+2581 for a space.
  std::vector<std::string> pieces;
  bool has_unused_pieces = false;
  bool is_bpe = false;
  bool byte_fallback = false;
  bool whitespace_as_suffix = false;
  bool has_character_map = false;
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
};

/// Reads the serialized model, a protocol buffer with the fields of SentencePiece's sentencepiece_model.proto.
/// Throws InputError naming `source` when the bytes are no protocol buffer.
SentencePieceModel read_sentencepiece_model(std::string_view model, const std::string& source);

}  // namespace Sward
