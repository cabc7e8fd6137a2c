// Pickles: what weights need is read, and whatever else one asks for is refused by its name.
#include "formats/torch/pickle.h"

#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/checkpoint.h"
#include "cloze/error.h"
#include "core/temp_directory.h"

namespace cloze {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Kind = PickleValue::Kind;
using namespace std::string_literals;

bool only_rebuild(std::string_view global) { return global == "torch._utils._rebuild_tensor_v2"; }

Pickle read_pickle(const std::string& bytes) {
  return Pickle(std::as_bytes(std::span(bytes)), "test.bin", only_rebuild);
}

std::string pickle_failure(const std::string& bytes) {
  try {
    (void)read_pickle(bytes);
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), HasSubstr("test.bin: the pickle"));
    return error.what();
  }
  ADD_FAILURE() << "accepted";
  return "";
}

TEST(Pickle, ReadsNumbersStringsAndContainers) {
  const auto pickle = read_pickle(
      "\x80\x02(K\x05M\x00\x01J\xFE\xFF\xFF\xFF\x8A\x02\x00\x80"
      "G\x3F\xF8\x00\x00\x00\x00\x00\x00\x88\x89NX\x02\x00\x00\x00hi\x8C\x02yoU\x01z]K\x01"
      "a}K\x01K\x02s)\x85t."s);
  const auto& items = pickle.value().items;
  ASSERT_EQ(pickle.value().kind, Kind::tuple);
  ASSERT_EQ(items.size(), 14U - 0U);
  EXPECT_EQ(items[0]->integer, 5);
  EXPECT_EQ(items[1]->integer, 256);
  EXPECT_EQ(items[2]->integer, -2);
  EXPECT_EQ(items[3]->integer, -32768);
  EXPECT_EQ(items[4]->real, 1.5);
  EXPECT_EQ(items[5]->integer, 1);
  EXPECT_EQ(items[6]->kind, Kind::boolean);
  EXPECT_EQ(items[7]->kind, Kind::none);
  EXPECT_EQ(items[8]->text, "hi");
  EXPECT_EQ(items[9]->text, "yo");
  EXPECT_EQ(items[10]->text, "z");
  EXPECT_EQ(items[11]->kind, Kind::list);
  EXPECT_EQ(items[12]->items.size(), 2U);
  EXPECT_EQ(items[13]->items.at(0)->kind, Kind::tuple);
}

TEST(Pickle, KeepsCallsWithoutMakingThem) {
  const auto pickle = read_pickle(
      "\x80\x02"
      "ctorch._utils\n_rebuild_tensor_v2\nK\x07\x85R."s);
  EXPECT_EQ(pickle.value().kind, Kind::call);
  EXPECT_EQ(pickle.value().text, "torch._utils._rebuild_tensor_v2");
  EXPECT_EQ(pickle.value().items.at(0)->integer, 7);
}

TEST(Pickle, ReadsPython2sOrderedDict) {
  const auto pickle = read_pickle(
      "\x80\x02"
      "ccollections\nOrderedDict\n]]U\x01"
      "aaK\x01"
      "aa\x85R."s);
  ASSERT_EQ(pickle.value().kind, Kind::dict);
  EXPECT_EQ(find(pickle.value(), "a")->integer, 1);
}

TEST(Pickle, ContainersMayHoldThemselves) {
  const auto pickle = read_pickle(
      "\x80\x02]q\x00h\x00"
      "a."s);
  EXPECT_EQ(pickle.value().items.at(0), &pickle.value());
}

TEST(Pickle, RefusesEveryOtherGlobalByName) {
  // What python -c "import pickle; ..." makes of os.system, by opcodes old and new.
  EXPECT_THAT(pickle_failure("\x80\x02"
                             "cposix\nsystem\nX\x02\x00\x00\x00id\x85R."s),
              AllOf(HasSubstr("\"posix.system\""), HasSubstr("nothing in the file was run")));
  EXPECT_THAT(pickle_failure("\x80\x04\x8C\x05posix\x8C\x06system\x93\x8C\x02id\x85R."s),
              HasSubstr("\"posix.system\""));
  EXPECT_THAT(pickle_failure("\x80\x02"
                             "cbuiltins\neval\n."s),
              HasSubstr("\"builtins.eval\""));
  EXPECT_THAT(pickle_failure("\x80\x02"
                             "c__builtin__\ngetattr\n."s),
              HasSubstr("getattr"));
  EXPECT_THAT(pickle_failure("\x80\x02"
                             "ctorch._utils\n_rebuild_tensor_v2.__globals__\n."s),
              HasSubstr("__globals__"));
}

TEST(Pickle, RefusesEveryOtherOpcodeByName) {
  EXPECT_THAT(pickle_failure("(S'id'\nios\nsystem\n."s), HasSubstr("STRING"));
  EXPECT_THAT(pickle_failure("\x80\x02(ios\nsystem\n."s), HasSubstr("INST"));
  EXPECT_THAT(pickle_failure("\x80\x02)\x81."s), HasSubstr("NEWOBJ"));
  EXPECT_THAT(pickle_failure("\x80\x04\x8F."s), HasSubstr("EMPTY_SET"));
  EXPECT_THAT(pickle_failure("\x80\x02\x82\x01."s), HasSubstr("EXT1"));
  EXPECT_THAT(pickle_failure("\x80\x02(o."s), HasSubstr("OBJ"));
  EXPECT_THAT(pickle_failure("\x80\x02\xFF."s), HasSubstr("0xff"));
}

TEST(Pickle, RefusesWhatIsMalformed) {
  EXPECT_THAT(pickle_failure(""), HasSubstr("truncated"));
  EXPECT_THAT(pickle_failure("\x80\x02"s), HasSubstr("truncated"));
  EXPECT_THAT(pickle_failure("\x80\x09."s), HasSubstr("protocol 9"));
  EXPECT_THAT(pickle_failure("\x80\x02."s), HasSubstr("more than one value"));
  EXPECT_THAT(pickle_failure("\x80\x02NN."s), HasSubstr("more than one value"));
  EXPECT_THAT(pickle_failure("\x80\x02(N."s), HasSubstr("more than one value"));
  EXPECT_THAT(pickle_failure("\x80\x02t."s), HasSubstr("never began"));
  EXPECT_THAT(pickle_failure("\x80\x02N\x86."s), HasSubstr("empty stack"));
  EXPECT_THAT(pickle_failure("\x80\x02N(\x85."s), HasSubstr("empty stack"));
  EXPECT_THAT(pickle_failure("\x80\x02h\x05."s), HasSubstr("value 5"));
  EXPECT_THAT(pickle_failure("\x80\x02q\x05."s), HasSubstr("empty stack"));
  EXPECT_THAT(pickle_failure("\x80\x02}(Nu."s), HasSubstr("key without a value"));
  EXPECT_THAT(pickle_failure("\x80\x02NNa."s), HasSubstr("APPEND"));
  EXPECT_THAT(pickle_failure("\x80\x02NN)R."s), HasSubstr("no function"));
  EXPECT_THAT(pickle_failure("\x80\x02X\xFF\xFF\xFF\xFFhi."s), HasSubstr("truncated"));
  EXPECT_THAT(pickle_failure("\x80\x04\x8D\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFFhi."s),
              HasSubstr("truncated"));
  EXPECT_THAT(pickle_failure("\x80\x02"
                             "cmodule"s),
              HasSubstr("within a line"));
}

TEST(Pickle, DoesNotGrowWithoutEnd) {
  // A list of 100,000 items, then ten thousand calls that have them all.
  auto bytes =
      "\x80\x02"
      "ctorch._utils\n_rebuild_tensor_v2\nq\x00("s +
      std::string(100'000, 'N') + "tq\x01("s;
  for (int i = 0; i < 10'000; ++i) bytes += "h\x00h\x01R"s;
  EXPECT_THAT(pickle_failure(bytes + "t."), HasSubstr("2000000 values"));
}

TEST(Pickle, DeepNestingIsNoDanger) {
  const auto pickle = read_pickle("\x80\x02N" + std::string(500'000, '\x85') + ".");
  EXPECT_EQ(pickle.value().kind, Kind::tuple);
}

/// A legacy file of one f32 storage of four elements.
std::string legacy_file(const std::string& object) {
  const auto pickled = [](const std::string& body) { return "\x80\x02" + body + "."; };
  return pickled("\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19"s) + pickled("M\xE9\x03"s) +
         pickled("}X\x0D\x00\x00\x00little_endian\x88s"s) + pickled(object) +
         pickled(
             "]X\x01\x00\x00\x00"
             "0a"s) +
         "\x04\x00\x00\x00\x00\x00\x00\x00"s + std::string(16, '\x01');
}

std::string tensor_dict(const std::string& type, const std::string& arguments,
                        const std::string& function = "_rebuild_tensor_v2") {
  return "}X\x01\x00\x00\x00wctorch._utils\n"s + function +
         "\n((X\x07\x00\x00\x00storagectorch\n"s + type +
         "\nX\x01\x00\x00\x00"
         "0X\x03\x00\x00\x00"
         "cpuK\x04tQ"s +
         arguments + "\x89NtRs";
}

std::string open_failure(const std::string& bytes) {
  const testing::TempDirectory directory;
  directory.write("pytorch_model.bin", bytes);
  try {
    (void)Checkpoint::open(directory.path());
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), HasSubstr("pytorch_model.bin"));
    return error.what();
  }
  return "accepted";
}

TEST(TorchFile, RefusesTensorsOutsideTheirStorage) {
  const auto open = [](const std::string& arguments) {
    return open_failure(legacy_file(tensor_dict("FloatStorage", arguments)));
  };
  EXPECT_EQ(open("K\x00K\x02K\x02\x86K\x02K\x01\x86"s), "accepted");
  const auto outside = AllOf(HasSubstr("tensor \"w\""), HasSubstr("does not lie inside"));
  EXPECT_THAT(open("K\x01K\x02K\x02\x86K\x02K\x01\x86"s), outside);    // offset
  EXPECT_THAT(open("K\x00K\x02K\x02\x86K\x03K\x01\x86"s), outside);    // stride
  EXPECT_THAT(open("K\x00K\x02K\x03\x86K\x03K\x01\x86"s), outside);    // shape
  EXPECT_THAT(open("K\x00K\x04\x85K\x01K\x01\x86"s), outside);         // ranks differ
  EXPECT_THAT(open("J\xFF\xFF\xFF\xFFK\x04\x85K\x01\x85"s), outside);  // negative offset
  EXPECT_THAT(open("K\x03K\x02\x85J\xFF\xFF\xFF\xFF\x85"s), outside);  // negative stride
  EXPECT_THAT(open("K\x00J\xFF\xFF\xFF\xFF\x85K\x01\x85"s), outside);  // negative size
  const auto huge = "\x8A\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F"s;
  EXPECT_THAT(open("K\x00"s + huge + "\x85K\x01\x85"s), outside);
  EXPECT_THAT(open("K\x00"s + huge + huge + "\x86K\x01K\x01\x86"s), outside);
  EXPECT_THAT(open("K\x00K\x02\x85"s + huge + "\x85"), outside);
  EXPECT_THAT(open(huge + "K\x02\x85K\x01\x85"s), outside);
  // An element repeated without end.
  EXPECT_THAT(open("K\x00J\xFF\xFF\xFF\x7F\x85K\x00\x85"s), HasSubstr("repeats the 4 elements"));
}

TEST(TorchFile, NamesTensorsOfTypesThatItHasNot) {
  EXPECT_THAT(open_failure(legacy_file(tensor_dict("FooStorage", "K\x00K\x04\x85K\x01\x85"s))),
              AllOf(HasSubstr("tensor \"w\""), HasSubstr("FooStorage")));
  EXPECT_THAT(open_failure(legacy_file("K\x01"s)), HasSubstr("state_dict()"));
  EXPECT_THAT(open_failure(legacy_file("}X\x01\x00\x00\x00wK\x01s"s)),
              HasSubstr("without tensors"));
}

TEST(TorchFile, NamesTheTypeOfAPickleThatIsNone) {
  EXPECT_THAT(open_failure("\x80\x02K\x01."s), HasSubstr("not one that torch.save wrote"));
  EXPECT_THAT(open_failure("PK\x03\x04"s + std::string(100, '\0')), HasSubstr("truncated"));
}

}  // namespace
}  // namespace cloze
