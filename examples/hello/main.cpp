// Text to vectors: what `AutoTokenizer` and `AutoModel` of transformers do in Python.
//   hello MODEL_DIRECTORY
#include <iostream>

#include <cloze/cloze.h>

int main(int argc, char** argv) try {
  const char* directory = argc > 1 ? argv[1] : "all-MiniLM-L6-v2";
  const auto tokenizer = cloze::Tokenizer::from_pretrained(directory);
  const auto model = cloze::BertModel::from_pretrained(directory);

  const auto inputs = tokenizer("Hello, my dog is cute");
  const auto outputs = model(inputs);

  const auto& hidden = outputs.last_hidden_state;
  std::cout << "last_hidden_state " << cloze::to_string(hidden.shape()) << '\n';
  for (const float value : hidden.values<float>().first(5)) std::cout << value << ' ';
  std::cout << "...\n";
} catch (const cloze::Error& error) {
  std::cerr << "error: " << error.what() << '\n';
  return 1;
}
