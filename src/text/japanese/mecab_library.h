/// \file
/// The part of MeCab's C interface that Cloze uses (mecab.h of MeCab 0.99), loaded when the first
/// tokenizer that needs it is opened.
#pragma once

#include <cstddef>

namespace cloze::text {

struct MecabModel;   ///< mecab_model_t: a dictionary
struct MecabTagger;  ///< mecab_t: what one thread parses with

/// mecab_node_t: a word on the best path.
struct MecabNode {
  MecabNode* prev;
  MecabNode* next;
  MecabNode* enext;
  MecabNode* bnext;
  void* rpath;
  void* lpath;
  const char* surface;  ///< where the word begins in the text
  const char* feature;
  unsigned int id;
  unsigned short length;   ///< of the word, in bytes
  unsigned short rlength;  ///< with the white space before it
  unsigned short rc_attr;
  unsigned short lc_attr;
  unsigned short posid;
  unsigned char char_type;
  unsigned char stat;  ///< kMecabEnd for the node after the last word
  unsigned char isbest;
  float alpha;
  float beta;
  float prob;
  short wcost;
  long cost;
};

inline constexpr unsigned char kMecabEnd = 3;  ///< MECAB_EOS_NODE

/// MeCab's functions, by their names without the prefix "mecab_".
struct MecabLibrary {
  MecabModel* (*model_new)(int argc, char** argv);
  void (*model_destroy)(MecabModel* model);
  MecabTagger* (*model_new_tagger)(MecabModel* model);
  void (*destroy)(MecabTagger* tagger);
  const MecabNode* (*sparse_tonode2)(MecabTagger* tagger, const char* text, std::size_t size);
  const char* (*strerror)(MecabTagger* tagger);
};

inline constexpr const char* kMecabLibrary = "libmecab.so.2";  ///< the interface since 2012

/// The library, ready for use by any thread. Throws Error when the system has none, saying how to
/// get it.
[[nodiscard]] const MecabLibrary& mecab_library();

/// The library of that name, for the tests. Throws as mecab_library.
[[nodiscard]] MecabLibrary load_mecab_library(const char* name);

}  // namespace cloze::text
