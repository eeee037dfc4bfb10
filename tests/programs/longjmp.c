// setjmp and longjmp, which are exceptions of WebAssembly.
#include <setjmp.h>
#include <stdio.h>

static jmp_buf buf;
static int count;

static void deep(int n) {
  if (n == 0) longjmp(buf, ++count);
  deep(n - 1);
  printf("never\n");
}

int main(void) {
  volatile int local = 10;
  int r = setjmp(buf);
  printf("setjmp %d local %d\n", r, local);
  if (r < 5) {
    local += r + 1;
    deep(r * 3);
  }
  puts("done");
  return 0;
}
