// Exceptions of C++: destructors on the way, nested and thrown again, out of constructors, by pointer, many.
#include <cstdio>
#include <stdexcept>
#include <string>
#include <csetjmp>
#include <vector>
struct Noisy { const char *name; Noisy(const char *n) : name(n) { printf("+%s\n", n); } ~Noisy() { printf("-%s\n", name); } };
struct Base { virtual ~Base() {} virtual const char *what() const { return "base"; } };
struct Derived : Base { int n; Derived(int n) : n(n) {} const char *what() const override { return "derived"; } };
static int depth(int n) {
  Noisy noisy(n % 2 ? "odd" : "even");
  if (n == 0) throw Derived(42);
  return depth(n - 1) + 1;
}
static void rethrows() {
  Noisy a("a");
  try {
    Noisy b("b");
    throw std::runtime_error("inner");
  } catch (const std::exception &e) {
    printf("caught %s\n", e.what());
    throw;
  }
}
static int nested() {
  try {
    try { throw 1; }
    catch (int x) { try { throw std::string("two"); } catch (const std::string &s) { printf("%d %s\n", x, s.c_str()); throw 3L; } }
  } catch (long l) { return (int)l; }
  return 0;
}
static int in_constructor() {
  struct Part { Noisy n{"part"}; Noisy m{"other"}; Part(bool f) { if (f) throw 7; } };
  int total = 0;
  for (int i = 0; i < 3; i++) { try { Part p(i == 1); total += i; } catch (int e) { total += 100 * e; continue; } }
  return total;
}
static long many() {
  long sum = 0;
  for (int i = 0; i < 20000; i++) { try { if (i % 3 == 0) throw i; if (i % 3 == 1) throw (double)i; sum += 1; } catch (int x) { sum += x; } catch (...) { sum -= 1; } }
  return sum;
}
int main() {
  try { depth(3); } catch (const Base &b) { printf("%s\n", b.what()); }
  try { rethrows(); } catch (const std::runtime_error &e) { printf("again %s\n", e.what()); }
  printf("%d\n", nested());
  printf("%d\n", in_constructor());
  printf("%ld\n", many());
  try { std::vector<int>().at(3); } catch (const std::out_of_range &) { puts("out of range"); }
  try { throw std::string("text"); } catch (...) { puts("anything"); }
  std::exception_ptr p;
  try { throw 5; } catch (...) { p = std::current_exception(); }
  try { std::rethrow_exception(p); } catch (int x) { printf("pointer %d\n", x); }
  return 0;
}
