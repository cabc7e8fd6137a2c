/// \file
/// All of Cloze's public API.
#pragma once

#include "cloze/array_file.h"          // IWYU pragma: export
#include "cloze/batch.h"               // IWYU pragma: export
#include "cloze/bert.h"                // IWYU pragma: export
#include "cloze/checkpoint.h"          // IWYU pragma: export
#include "cloze/config.h"              // IWYU pragma: export
#include "cloze/error.h"               // IWYU pragma: export
#include "cloze/evaluate.h"            // IWYU pragma: export
#include "cloze/finetune.h"            // IWYU pragma: export
#include "cloze/hub.h"                 // IWYU pragma: export
#include "cloze/model_sizes.h"         // IWYU pragma: export
#include "cloze/output.h"              // IWYU pragma: export
#include "cloze/pretrain.h"            // IWYU pragma: export
#include "cloze/profile.h"             // IWYU pragma: export
#include "cloze/progress.h"            // IWYU pragma: export
#include "cloze/task_options.h"        // IWYU pragma: export
#include "cloze/tensor.h"              // IWYU pragma: export
#include "cloze/text_corpus.h"         // IWYU pragma: export
#include "cloze/text_example.h"        // IWYU pragma: export
#include "cloze/text_reader.h"         // IWYU pragma: export
#include "cloze/threads.h"             // IWYU pragma: export
#include "cloze/tokenizer.h"           // IWYU pragma: export
#include "cloze/training.h"            // IWYU pragma: export
#include "cloze/version.h"             // IWYU pragma: export
#include "cloze/vocabulary_trainer.h"  // IWYU pragma: export
