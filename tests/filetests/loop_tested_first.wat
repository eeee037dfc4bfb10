;; A loop that is tested first polls behind that: no poll where there is no round.

(module
  (memory 1)
  (func (export "f") (param i32)
    block
      loop
        local.get 0
        i32.load8_u
        i32.eqz
        br_if 1
        local.get 0
        i32.const 1
        i32.add
        local.set 0
        br 0
      end
    end))

;; -- ir
;; function 0 (i32) -> () {
;; block0(v0: i32):
;;   jump block1(v0)
;; block1(v1: i32):  ; loop, depth 1
;;   v2 = extend_u.i64 v1
;;   v3 = iadd.i64 memory_base, v2
;;   v4 = heap_load8_u.i32 [v3]
;;   brif v4, block2, block3
;; block2:
;;   poll
;;   v5 = iadd.i32 v1, 1:i32
;;   jump block1(v5)
;; block3:
;;   return
;; }

;; -- amd64
;; 45 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   nop dword ptr [rax]
;; L0:
;;   cmp byte ptr [r14 + rdi], 0                 ; i32.load8_u
;;   je L2
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L3
;; L1:
;;   add edi, 1
;;   jmp L0
;; L2:
;;   pop rbp
;;   ret
;; L3:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]                 ; loop
;;   jmp L1

;; -- arm64
;; 68 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;; L0:
;;   ldrb w1, [x27, w0, uxtw]                    ; i32.load8_u
;;   cbz w1, L2
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L3
;; L1:
;;   add w0, w0, #1
;;   b L0
;; L2:
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L3:
;;   mov x17, sp
;;   ldr x16, [x28, #0x38]
;;   blr x16                                     ; loop
;;   b L1
