;; The head of a loop that goes through a table begins a cache line on amd64.

(module
  (memory 1)
  (func (export "f") (param i32) (result i32)
    loop
      block
        block
          local.get 0
          local.get 0
          i32.const 1
          i32.add
          local.set 0
          i32.load8_u
          br_table 0 1 0 2
        end
        local.get 0
        i32.const 3
        i32.shl
        local.set 0
        br 1
      end
      local.get 0
      return
    end
    local.get 0))

;; -- ir
;; function 0 (i32) -> (i32) {
;; block0(v0: i32):
;;   jump block1(v0)
;; block1(v1: i32):  ; loop, depth 1
;;   poll
;;   v2 = iadd.i32 v1, 1:i32
;;   v3 = extend_u.i64 v1
;;   v4 = iadd.i64 memory_base, v3
;;   v5 = heap_load8_u.i32 [v4]
;;   br_table v5, block2, block3, block2, block1(v2)
;; block2:
;;   v6 = shl.i32 v2, 3:i32
;;   jump block1(v6)
;; block3:
;;   return v2
;; }

;; -- amd64
;; 136 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   nop word ptr [rax + rax]
;;   nop word ptr [rax + rax]
;;   nop word ptr [rax + rax]
;;   nop word ptr [rax + rax]
;;   nop word ptr [rax + rax]
;;   nop dword ptr [rax]
;; L0:
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L5
;; L1:
;;   lea eax, [rdi + 1]
;;   movzx ecx, byte ptr [r14 + rdi]             ; i32.load8_u
;;   cmp ecx, 3
;;   jae L2
;;   lea r11, [L6]
;;   movsxd rdx, dword ptr [r11 + rcx*4]
;;   add r11, rdx
;;   jmp r11
;; L2:
;;   mov edi, eax
;;   jmp L0
;; L3:
;;   mov edi, eax
;;   shl edi, 3
;;   jmp L0
;; L4:
;;   pop rbp
;;   ret
;; L5:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]                 ; loop
;;   jmp L1
;; L6:
;;   L3 L4 L3

;; -- arm64
;; 116 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;; L0:
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L5
;; L1:
;;   add w1, w0, #1
;;   ldrb w0, [x27, w0, uxtw]                    ; i32.load8_u
;;   cmp w0, #3
;;   b.hs L2
;;   adr x16, L6
;;   ldrsw x17, [x16, w0, uxtw #2]
;;   add x16, x16, x17
;;   br x16
;; L2:
;;   mov x0, x1
;;   b L0
;; L3:
;;   lsl w0, w1, #3
;;   b L0
;; L4:
;;   mov x0, x1
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L5:
;;   mov x17, sp
;;   ldr x16, [x28, #0x38]
;;   blr x16                                     ; loop
;;   b L1
;; L6:
;;   L3 L4 L3
