// A WordPiece vocabulary of one's own text.
#include <algorithm>

#include <cloze/tokenizer.h>
#include <cloze/vocabulary_trainer.h>

#include "tour.h"

void train_vocabulary(const Folders& folders) {
  const std::vector<std::filesystem::path> files{folders.data / "sentiment.train.tsv"};
  const auto directory = folders.work / "vocabulary";
  std::filesystem::create_directory(directory);

  const auto tokens = cloze::train_vocabulary(files, {.size = 600});
  cloze::save_vocabulary(directory / "vocab.txt", tokens);

  const auto tokenizer = cloze::Tokenizer::from_vocabulary(tokens);
  for (const auto& token : tokenizer.encode("The train was spotless.").tokens) {
    std::cout << token << ' ';
  }
  std::cout << '\n';

  check(tokens.size() == 600 && tokens[0] == "[PAD]" && tokens[4] == "[MASK]");
  check(std::find(tokens.begin(), tokens.end(), "the") != tokens.end());
  check(tokenizer.vocab_size() == 600);
  const auto encoding = tokenizer.encode("The train was spotless.");
  check(encoding.tokens[1] == "the" && encoding.ids[1] == tokenizer.token_to_id("the"));
  check(tokenizer.decode(encoding.ids) == "the train was spotless.");
}
