;; An offset that no instruction holds, and an address that is a constant.

(module
  (memory 1)
  (func (export "f") (param i32) (result f64)
    local.get 0
    f64.load offset=3000000000
    i32.const 1024
    f64.load offset=8
    f64.add))

;; -- ir
;; function 0 (i32) -> (f64) {
;; block0(v0: i32):
;;   v1 = extend_u.i64 v0
;;   v2 = iadd.i64 memory_base, v1
;;   v3 = heap_load.f64 [v2+3000000000]
;;   v4 = heap_load.f64 [memory_base+1032]
;;   v5 = fadd.f64 v3, v4
;;   return v5
;; }

;; -- amd64
;; 37 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   mov eax, 0xb2d05e00
;;   lea rcx, [r14 + rdi]
;;   movsd xmm0, qword ptr [rcx + rax]           ; f64.load offset=3000000000
;;   addsd xmm0, qword ptr [r14 + 0x408]         ; f64.load offset=8
;;   pop rbp
;;   ret

;; -- arm64
;; 48 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   add x0, x27, w0, uxtw
;;   mov w1, #0x5e00
;;   movk x1, #0xb2d0, lsl #16
;;   ldr d0, [x0, x1]                            ; f64.load offset=3000000000
;;   ldr d1, [x27, #0x408]                       ; f64.load offset=8
;;   fadd d0, d0, d1
;;   ldp x29, x30, [sp], #0x10
;;   ret
