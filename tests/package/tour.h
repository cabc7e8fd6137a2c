/// \file
/// What the programs of the tour share: where files are, and checks that say where they failed.
#pragma once

#include <cmath>
#include <filesystem>
#include <iostream>
#include <source_location>
#include <stdexcept>
#include <string>
#include <vector>

struct Folders {
  std::filesystem::path models;  ///< tests/goldens: small random models
  std::filesystem::path data;    ///< examples/data
  std::filesystem::path work;    ///< where the programs write
};

inline void check(bool holds, std::source_location at = std::source_location::current()) {
  if (holds) return;
  throw std::runtime_error(std::string(at.file_name()) + ':' + std::to_string(at.line()) +
                           ": the check failed");
}

/// `wanted` as transformers computed it.
inline void check_near(double found, double wanted, double tolerance = 1e-4,
                       std::source_location at = std::source_location::current()) {
  if (std::abs(found - wanted) <= tolerance) return;
  throw std::runtime_error(std::string(at.file_name()) + ':' + std::to_string(at.line()) +
                           ": found " + std::to_string(found) + " instead of " +
                           std::to_string(wanted));
}

/// A copy of a model with other labels.
void copy_model(const std::filesystem::path& model, const std::filesystem::path& copy,
                const std::vector<std::string>& labels);

// Tasks in the order in which they run: later ones use what earlier ones wrote.
void embed(const Folders& folders);
void classify(const Folders& folders);
void zero_shot(const Folders& folders);
void tag(const Folders& folders);
void answer(const Folders& folders);
void fill_mask(const Folders& folders);
void next_sentence(const Folders& folders);
void rank(const Folders& folders);
void search_by_words(const Folders& folders);
void search_by_tokens(const Folders& folders);
void replaced_tokens(const Folders& folders);
void choose(const Folders& folders);
void features(const Folders& folders);
void train_vocabulary(const Folders& folders);
void pretrain(const Folders& folders);
void finetune(const Folders& folders);
void evaluate(const Folders& folders);
void convert(const Folders& folders);
void export_to_onnx(const Folders& folders);
void inspect(const Folders& folders);
