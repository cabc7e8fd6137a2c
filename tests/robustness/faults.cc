// A library for LD_PRELOAD that makes system calls fail, as a full disk or a machine without threads does.
//
//     CLOZE_FAULT=CALL:N:ERROR[:PATH]
//
// The Nth call (from 1) of CALL fails with ERROR, and every later one; "N!" fails that one call
// alone. CALL is `write` (pwrite and copy_file_range too), `fsync`, `rename`, `unlink` (remove and
// rmdir too), `open` for writing, `mkdir`, `mmap`, `flock` or `pthread_create`. With PATH only calls
// on paths that hold this text count (for write and fsync the descriptor's path). CALL `kill` ends
// the process by SIGKILL at its Nth write, fsync, rename, unlink, mkdir or open for writing.
#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

struct Fault {
  std::string call, path;
  long number = 0;
  int error = 0;
  bool once = false;
};

int error_named(const std::string& name) {
  if (name == "ENOSPC") return ENOSPC;
  if (name == "EIO") return EIO;
  if (name == "EROFS") return EROFS;
  if (name == "EACCES") return EACCES;
  if (name == "EDQUOT") return EDQUOT;
  if (name == "EMFILE") return EMFILE;
  if (name == "EAGAIN") return EAGAIN;
  if (name == "ENOMEM") return ENOMEM;
  if (name == "EXDEV") return EXDEV;
  if (name == "ENOLCK") return ENOLCK;
  return EIO;
}

Fault read_fault() {
  Fault fault;
  const char* text = std::getenv("CLOZE_FAULT");
  if (text == nullptr) return fault;
  std::string rest = text;
  const auto next = [&rest] {
    const auto colon = rest.find(':');
    auto part = rest.substr(0, colon);
    rest = colon == std::string::npos ? "" : rest.substr(colon + 1);
    return part;
  };
  fault.call = next();
  auto number = next();
  fault.once = !number.empty() && number.back() == '!';
  fault.number = std::strtol(number.c_str(), nullptr, 10);
  fault.error = error_named(next());
  fault.path = rest;
  return fault;
}

const Fault& fault() {
  static const Fault read = read_fault();
  return read;
}

bool concerns(const char* path) {
  return fault().path.empty() ||
         (path != nullptr && std::strstr(path, fault().path.c_str()) != nullptr);
}

bool concerns(int descriptor) {
  if (fault().path.empty()) return true;
  char link[64], path[PATH_MAX];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const auto length = readlink(link, path, sizeof path - 1);
  if (length < 0) return false;
  path[length] = 0;
  return concerns(path);
}

/// Whether this call, which the fault concerns, is to fail. `changes` is one that changes files.
bool fails(const char* call, bool changes) {
  static std::atomic<long> calls{0}, all_changes{0};
  if (changes && fault().call == "kill" && ++all_changes == fault().number) kill(getpid(), SIGKILL);
  if (fault().call != call) return false;
  const long number = ++calls;
  if (fault().once ? number != fault().number : number < fault().number) return false;
  errno = fault().error;
  return true;
}

template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

bool writes(int flags) { return (flags & O_ACCMODE) != O_RDONLY; }

}  // namespace

extern "C" {

ssize_t write(int fd, const void* bytes, size_t size) {
  static auto* const call = real<ssize_t(int, const void*, size_t)>("write");
  if (fd > 2 && concerns(fd) && fails("write", true)) return -1;
  return call(fd, bytes, size);
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  static auto* const call = real<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  if (concerns(fd) && fails("write", true)) return -1;
  return call(fd, bytes, size, offset);
}

ssize_t copy_file_range(int from, off64_t* from_offset, int to, off64_t* to_offset, size_t size,
                        unsigned flags) {
  using Call = ssize_t(int, off64_t*, int, off64_t*, size_t, unsigned);
  static auto* const call = real<Call>("copy_file_range");
  if (concerns(to) && fails("write", true)) return -1;
  return call(from, from_offset, to, to_offset, size, flags);
}

int mkdir(const char* path, mode_t mode) {
  static auto* const call = real<int(const char*, mode_t)>("mkdir");
  if (concerns(path) && fails("mkdir", true)) return -1;
  return call(path, mode);
}

int fsync(int fd) {
  static auto* const call = real<int(int)>("fsync");
  if (concerns(fd) && fails("fsync", true)) return -1;
  return call(fd);
}

int remove(const char* path) {
  static auto* const call = real<int(const char*)>("remove");
  if (concerns(path) && fails("unlink", true)) return -1;
  return call(path);
}

int unlink(const char* path) {
  static auto* const call = real<int(const char*)>("unlink");
  if (concerns(path) && fails("unlink", true)) return -1;
  return call(path);
}

int unlinkat(int directory, const char* path, int flags) {
  static auto* const call = real<int(int, const char*, int)>("unlinkat");
  if (concerns(path) && fails("unlink", true)) return -1;
  return call(directory, path, flags);
}

int rmdir(const char* path) {
  static auto* const call = real<int(const char*)>("rmdir");
  if (concerns(path) && fails("unlink", true)) return -1;
  return call(path);
}

int flock(int fd, int operation) {
  static auto* const call = real<int(int, int)>("flock");
  if (concerns(fd) && fails("flock", false)) return -1;
  return call(fd, operation);
}

int rename(const char* from, const char* to) {
  static auto* const call = real<int(const char*, const char*)>("rename");
  if (concerns(to) && fails("rename", true)) return -1;
  return call(from, to);
}

int open(const char* path, int flags, ...) {
  static auto* const call = real<int(const char*, int, ...)>("open");
  va_list list;
  va_start(list, flags);
  const int mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(list, int) : 0;
  va_end(list);
  if (writes(flags) && concerns(path) && fails("open", true)) return -1;
  return call(path, flags, mode);
}

void* mmap(void* address, size_t size, int protection, int flags, int fd, off_t offset) {
  static auto* const call = real<void*(void*, size_t, int, int, int, off_t)>("mmap");
  if (fails("mmap", false)) return MAP_FAILED;
  return call(address, size, protection, flags, fd, offset);
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*),
                   void* argument) {
  static auto* const call =
      real<int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*)>("pthread_create");
  if (fails("pthread_create", false)) return fault().error;
  return call(thread, attributes, run, argument);
}

}  // extern "C"
