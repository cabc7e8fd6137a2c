/// \file
/// A reference to something that can be called: two words that own nothing and allocate nothing.
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

namespace cloze {

template <class Signature>
class FunctionRef;

/// Refers to a function object (a lambda, a function pointer, another std::function) for the length
/// of a call that takes it as an argument. The object must outlive the reference, so take a
/// FunctionRef as a parameter and do not keep it; std::function is for what is kept.
template <class Result, class... Arguments>
class FunctionRef<Result(Arguments...)> {
 public:
  template <class Function>
  requires(!std::same_as<std::remove_cvref_t<Function>, FunctionRef> &&
           std::is_object_v<std::remove_reference_t<Function>> &&
           std::is_invocable_r_v<Result, std::remove_reference_t<Function>&, Arguments...>)
      // NOLINTNEXTLINE(google-explicit-constructor, bugprone-forwarding-reference-overload)
      FunctionRef(Function&& function)
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(function)))),
        call_([](void* object, Arguments... arguments) -> Result {
          auto& target = *static_cast<std::remove_reference_t<Function>*>(object);
          if constexpr (std::is_void_v<Result>) {
            std::invoke(target, std::forward<Arguments>(arguments)...);
          } else {
            return std::invoke(target, std::forward<Arguments>(arguments)...);
          }
        }) {}

  Result operator()(Arguments... arguments) const {
    return call_(object_, std::forward<Arguments>(arguments)...);
  }

 private:
  void* object_;
  Result (*call_)(void*, Arguments...);
};

}  // namespace cloze
