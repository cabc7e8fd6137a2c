// The parts of the Hub's client that need no server: names, settings, checksums, the choice of
// files, the cache's locks.
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include "cloze/error.h"
#include "cloze/hub.h"
#include "core/environment_setting.h"
#include "core/temp_directory.h"
#include "hub/cache.h"
#include "hub/checksum.h"
#include "hub/files.h"
#include "hub/http.h"
#include "hub/names.h"

namespace cloze::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(HubNames, WhatIsAName) {
  for (const auto* name : {"bert-base-uncased", "google-bert/bert-base-uncased", "a/b@main",
                           "a/b@refs/pr/3", "a/b.c_d-e", "owner/name@v1.0"}) {
    EXPECT_TRUE(is_hub_name(name)) << name;
  }
  for (const auto* name : {"", "/", "a/", "/a", "a/b/c", "a b", "../a", "a/..", "a--b/c", ".a/b",
                           "a/b-", "a/b@", "a/b@../../x", "a/b@/x", "a/b@x//y", "a/b@x\n", "ä/b"}) {
    EXPECT_FALSE(is_hub_name(name)) << name;
    EXPECT_THROW(static_cast<void>(hub::parse_reference(name)), ArgumentError) << name;
  }
  EXPECT_FALSE(is_hub_name(std::string(97, 'a')));
  const auto reference = hub::parse_reference("a/b@refs/pr/3");
  EXPECT_EQ(reference.name, "a/b");
  EXPECT_EQ(reference.revision, "refs/pr/3");
  EXPECT_EQ(hub::parse_reference("a/b").revision, "main");
}

TEST(HubNames, EncodedForUrls) {
  EXPECT_EQ(hub::percent_encoded("refs/pr/1", false), "refs%2Fpr%2F1");
  EXPECT_EQ(hub::percent_encoded("1_Pooling/a b?.json", true), "1_Pooling/a%20b%3F.json");
  EXPECT_EQ(hub::percent_encoded("ü", true), "%C3%BC");
}

TEST(Http, UrlsAndOrigins) {
  EXPECT_EQ(http::resolve_url("https://a.b/c/d?x=1", "/e"), "https://a.b/e");
  EXPECT_EQ(http::resolve_url("https://a.b/c/d", "https://x.y/z?s=1"), "https://x.y/z?s=1");
  EXPECT_EQ(http::resolve_url("https://a.b/c", "ftp://x.y/z"), "");
  EXPECT_EQ(http::resolve_url("https://a.b/c", "javascript:1"), "");
  EXPECT_EQ(http::origin_of("HTTPS://A.b/c"), http::origin_of("https://a.B:443/d"));
  EXPECT_NE(http::origin_of("https://a.b"), http::origin_of("http://a.b"));
  EXPECT_NE(http::origin_of("https://a.b"), http::origin_of("https://a.b:8443"));
  EXPECT_NE(http::origin_of("https://a.b"), http::origin_of("https://a.b.c"));
  EXPECT_NE(http::origin_of("https://a.b"), http::origin_of("https://a.b@evil.c/"));
}

TEST(HubChecksum, AsGitAndSha256sumComputeThem) {
  const TempDirectory folder;
  const std::string git(40, '0'), sha256(64, '0');
  // printf 'hello\n' | git hash-object --stdin; printf abc | sha256sum; the same of nothing.
  EXPECT_EQ(hub::checksum_of(folder.write("a", "hello\n"), git),
            "ce013625030ba8dba906f756967f9e9ca394464a");
  EXPECT_EQ(hub::checksum_of(folder.write("b", "abc"), sha256),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hub::checksum_of(folder.write("c", ""), git),
            "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
  EXPECT_TRUE(hub::is_checksum(git));
  EXPECT_TRUE(hub::is_checksum(sha256));
  EXPECT_FALSE(hub::is_checksum(std::string(64, 'A')));
  EXPECT_FALSE(hub::is_checksum("../" + std::string(37, 'a')));
}

TEST(HubSettings, ComeFromTheVariablesOfHuggingfaceHub) {
  const TempDirectory folder;
  folder.write("token", "  hf_from_file\n");
  const EnvironmentSetting home("HF_HOME", folder.path().c_str()), cache("HF_HUB_CACHE", nullptr),
      old_cache("HUGGINGFACE_HUB_CACHE", nullptr), token("HF_TOKEN", nullptr),
      old_token("HUGGING_FACE_HUB_TOKEN", nullptr), token_path("HF_TOKEN_PATH", nullptr),
      implicit("HF_HUB_DISABLE_IMPLICIT_TOKEN", nullptr), offline("HF_HUB_OFFLINE", nullptr),
      offline2("TRANSFORMERS_OFFLINE", nullptr), timeout("HF_HUB_DOWNLOAD_TIMEOUT", "33"),
      endpoint("HF_ENDPOINT", "https://hub.example/");
  auto settings = HubSettings::from_environment();
  EXPECT_EQ(settings.endpoint, "https://hub.example");
  {
    const EnvironmentSetting unset("HF_ENDPOINT", nullptr);
    EXPECT_EQ(HubSettings::from_environment().endpoint, "https://huggingface.co");
    const EnvironmentSetting empty("HF_ENDPOINT", "");
    EXPECT_EQ(HubSettings::from_environment().endpoint, "");
  }
  EXPECT_EQ(settings.cache, folder.path() / "hub");
  EXPECT_EQ(settings.token, "hf_from_file");
  EXPECT_EQ(settings.token_source, (folder.path() / "token").string());
  EXPECT_FALSE(settings.offline);
  EXPECT_EQ(settings.download_timeout.count(), 33);
  {
    const EnvironmentSetting set("HF_TOKEN", "hf_set"), place("HF_HUB_CACHE", "/some/where"),
        off("HF_HUB_OFFLINE", "yes");
    settings = HubSettings::from_environment();
    EXPECT_EQ(settings.token, "hf_set");
    EXPECT_EQ(settings.token_source, "HF_TOKEN");
    EXPECT_EQ(settings.cache, "/some/where");
    EXPECT_TRUE(settings.offline);
    const EnvironmentSetting none("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1");
    EXPECT_EQ(HubSettings::from_environment().token, "");
  }
  {
    const EnvironmentSetting hf("HF_HOME", nullptr), xdg("XDG_CACHE_HOME", "/x");
    EXPECT_EQ(HubSettings::from_environment().cache, "/x/huggingface/hub");
    const EnvironmentSetting no_xdg("XDG_CACHE_HOME", nullptr), user("HOME", "/h");
    EXPECT_EQ(HubSettings::from_environment().cache, "/h/.cache/huggingface/hub");
    const EnvironmentSetting tilde("HF_HOME", "~/hf");
    EXPECT_EQ(HubSettings::from_environment().cache, "/h/hf/hub");
  }
}

TEST(HubSettings, NonsenseIsRefusedAndSecretsAreNotShown) {
  const auto message = [](const char* name, const char* value) -> std::string {
    const EnvironmentSetting variable(name, value);
    try {
      static_cast<void>(HubSettings::from_environment());
    } catch (const ArgumentError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(message("HF_ENDPOINT", "hub.example"), HasSubstr("HF_ENDPOINT"));
  EXPECT_THAT(message("HF_ENDPOINT", "ftp://hub.example"), HasSubstr("HF_ENDPOINT"));
  const auto with_password = message("HF_ENDPOINT", "https://me:secret@hub.example");
  EXPECT_THAT(with_password, HasSubstr("HF_ENDPOINT"));
  EXPECT_THAT(with_password, Not(HasSubstr("secret")));
  const auto token = message("HF_TOKEN", "secret\nX-Evil: 1");
  EXPECT_THAT(token, HasSubstr("HF_TOKEN"));
  EXPECT_THAT(token, Not(HasSubstr("secret")));
  EXPECT_THAT(message("HF_HUB_ETAG_TIMEOUT", "soon"), HasSubstr("HF_HUB_ETAG_TIMEOUT"));
}

std::vector<std::string> chosen(const std::map<std::string, std::string>& files) {
  std::vector<std::string> listing;
  for (const auto& [name, content] : files) listing.push_back(name);
  return hub::choose_files(
      listing, [&](const std::string& name) { return files.at(name); }, "x/y");
}

TEST(HubFiles, TheBestFormatOfTheWeights) {
  std::map<std::string, std::string> files{
      {"config.json", ""},           {"bert_config.json", ""},
      {"bert_model.ckpt.index", ""}, {"bert_model.ckpt.data-00000-of-00001", ""},
      {"bert_model.ckpt.meta", ""},  {"vocab.txt", ""},
      {"tf_model.h5", ""},           {"flax_model.msgpack", ""},
      {"onnx/model.onnx", ""},       {"coreml/model.safetensors", ""}};
  EXPECT_THAT(chosen(files), ElementsAre("bert_config.json", "bert_model.ckpt.data-00000-of-00001",
                                         "bert_model.ckpt.index", "config.json", "vocab.txt"));
  files["pytorch_model.bin.index.json"] = R"({"weight_map": {"a": "pytorch_model-1.bin"}})";
  files["pytorch_model-1.bin"] = "";
  files["pytorch_model-2.bin"] = "";
  EXPECT_THAT(chosen(files), ElementsAre("config.json", "pytorch_model-1.bin",
                                         "pytorch_model.bin.index.json", "vocab.txt"));
  files["pytorch_model.bin"] = "";
  EXPECT_THAT(chosen(files), ElementsAre("config.json", "pytorch_model.bin", "vocab.txt"));
  files["model.safetensors.index.json"] =
      R"({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}})";
  files["model-1.safetensors"] = files["model-2.safetensors"] = "";
  EXPECT_THAT(chosen(files),
              ElementsAre("config.json", "model-1.safetensors", "model-2.safetensors",
                          "model.safetensors.index.json", "vocab.txt"));
  files["model.safetensors"] = "";
  EXPECT_THAT(chosen(files), ElementsAre("config.json", "model.safetensors", "vocab.txt"));
}

TEST(HubFiles, WhatIsMissingIsNamed) {
  const auto message = [](const std::map<std::string, std::string>& files) -> std::string {
    try {
      static_cast<void>(chosen(files));
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(message({{"config.json", ""}, {"tf_model.h5", ""}}),
              AllOf(HasSubstr("no weights that Cloze reads"), HasSubstr("tf_model.h5")));
  EXPECT_THAT(
      message({{"model.safetensors.index.json", R"({"weight_map": {"a": "b.safetensors"}})"}}),
      AllOf(HasSubstr("b.safetensors"), HasSubstr("does not have")));
  EXPECT_THAT(message({{"model.safetensors.index.json", "{"}}), HasSubstr("JSON"));
  EXPECT_THAT(message({{"modules.json", R"([{"type": "a.Pooling", "path": "1_Pooling"}])"}}),
              HasSubstr("1_Pooling/config.json"));
  EXPECT_THAT(message({{"modules.json", "[1]"}}), HasSubstr("modules"));
}

TEST(HubFiles, SentenceTransformersModulesAndOlderFolders) {
  EXPECT_THAT(
      chosen({{"modules.json", R"([{"type": "x.Transformer", "path": "0_Transformer"},
                                   {"type": "x.Pooling", "path": "1_Pooling"},
                                   {"type": "x.Dense", "path": "2_Dense"},
                                   {"type": "x.Normalize", "path": "3_Normalize"}])"},
              {"0_Transformer/config.json", ""},
              {"0_Transformer/sentence_bert_config.json", ""},
              {"0_Transformer/pytorch_model.bin", ""},
              {"0_Transformer/vocab.txt", ""},
              {"1_Pooling/config.json", ""},
              {"2_Dense/config.json", ""},
              {"2_Dense/model.safetensors", ""},
              {"2_Dense/pytorch_model.bin", ""},
              {"config_sentence_transformers.json", ""}}),
      ElementsAre("0_Transformer/config.json", "0_Transformer/pytorch_model.bin",
                  "0_Transformer/sentence_bert_config.json", "0_Transformer/vocab.txt",
                  "1_Pooling/config.json", "2_Dense/config.json", "2_Dense/model.safetensors",
                  "config_sentence_transformers.json", "modules.json"));
}

TEST(HubCache, ALockIsTheFlockOfPythonsFilelock) {
  const TempDirectory folder;
  const auto path = folder.path() / "locks" / "x.lock";
  const auto can_lock = [&] {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0664);
    const bool locked = ::flock(fd, LOCK_EX | LOCK_NB) == 0;
    ::close(fd);
    return locked;
  };
  {
    const hub::FileLock lock(path, nullptr);
    EXPECT_FALSE(can_lock());
    const std::atomic<bool> cancelled = true;
    EXPECT_THROW(hub::FileLock(path, &cancelled), http::Cancelled);
  }
  EXPECT_TRUE(can_lock());
}

// Files of equal content have one blob, and several threads link them.
TEST(HubCache, LinksFilesOfOneContentAtOnce) {
  const TempDirectory folder;
  const hub::ModelCache cache(folder.path(), "owner/name");
  cache.make_directories();
  const std::string etag(40, 'e'), commit(40, 'c');
  write_file(cache.blob(etag), "same");
  for (int round = 0; round < 50; ++round) {
    const auto snapshot = cache.snapshot(commit);
    std::filesystem::remove_all(snapshot);
    std::atomic<int> failures = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        try {
          cache.link(commit, "file" + std::to_string(t / 2), etag);
        } catch (const Error&) {
          ++failures;
        }
      });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(failures, 0);
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(snapshot)) {
      EXPECT_EQ(read_file(entry.path()), "same");
      ++files;
    }
    EXPECT_EQ(files, 4U);
  }
}

}  // namespace
}  // namespace cloze::testing
