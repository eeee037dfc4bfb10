;; Nothing but a trap.

(module
  (func (export "f")
    unreachable))

;; -- ir
;; function 0 () -> () {
;; block0:
;;   trap unreachable
;; }

;; -- amd64
;; 27 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   call L0                                     ; unreachable
;; L0:
;;   mov r11d, 1
;;   jmp qword ptr [r15 + 0x18]

;; -- arm64
;; 32 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   bl L0                                       ; unreachable
;; L0:
;;   mov w16, #1
;;   ldr x17, [x28, #0x18]
;;   br x17
