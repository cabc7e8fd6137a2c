// Where in a text a question is answered.
#include <cloze/question_answering.h>

#include "tour.h"

void answer(const Folders& folders) {
  const auto model = folders.models / "question_legacy_names";

  const auto reader = cloze::QuestionAnsweringPipeline::from_pretrained(model);
  const std::vector<cloze::QuestionContext> questions{
      {"Who built the mill?", "The old mill was built in 1742 by Jan Brandt."}};
  const auto answers = reader(questions, {.top_k = 3});
  for (const auto& answer : answers[0]) {
    std::cout << answer.score << "  " << answer.text << "  [" << answer.offsets.begin << ", "
              << answer.offsets.end << ")\n";
  }

  check(answers.size() == 1);
  const std::vector<cloze::QuestionContext> known{{"the dog", "a cat, the dogs é 東京 . b c d e"}};
  const auto best =
      reader(known, {.top_k = 4, .max_answer_length = 5, .max_length = 20, .stride = 6})[0];
  check(best[0].text == "b" && best[0].offsets == cloze::Span{23, 24});
  check(best[0].byte_offsets == cloze::Span{28, 29});  // é has 2 bytes, 東 and 京 have 3
  check_near(best[0].score, 0.02269657);
  check(best[2].text == "京");
}
