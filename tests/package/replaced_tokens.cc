// Which tokens of a text do not fit it, by an ELECTRA discriminator.
#include <cloze/replaced_tokens.h>

#include "tour.h"

void replaced_tokens(const Folders& folders) {
  const auto model = folders.models / "electra" / "discriminator";

  const auto checker = cloze::ReplacedTokensPipeline::from_pretrained(model);
  const std::vector<std::string> texts{"the dogs fakes over the lazy dog"};
  const auto results = checker(texts);
  for (const auto& token : results[0]) {
    if (token.replaced()) std::cout << token.token << ' ' << token.score << '\n';
  }

  const auto& tokens = results[0];
  const auto logits = checker.model()(checker.tokenizer()(texts[0]));
  check(static_cast<std::int64_t>(tokens.size()) == logits.numel() - 2);
  check_near(tokens[0].logit, static_cast<double>(logits.values<float>()[1]), 1e-5);
}
