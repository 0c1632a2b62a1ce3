/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * boot-sector.S: the smallest guest that can tell whether its memory is right
 *
 * It writes the number of the tick into both ends of each of `pages` pages
 * above 1 MiB, prints `tick N` on COM1, and sleeps 100 ms.  Before it writes a
 * page it looks whether the page still holds what the tick before has left
 * there, and prints an E for each that does not.  32-bit protected mode, one
 * interrupt (the timer), no BIOS call once it runs.
 *
 * The number of pages stands at offset 504 (32 bits, little-endian), so that a
 * test can change it in its copy.
 */

        .set    COM1, 0x3f8
        .set    IDT, 0x9000
        .set    MEMORY, 0x100000
        .set    TIMER_VECTOR, 0x20
        .set    TIMER_DIVISOR, 59659    /* 1193182 Hz / 59659 = 20 Hz */

        .macro  put value port
        movb    $\value, %al
        outb    %al, $\port
        .endm

        .macro  put_com value offset
        movw    $(COM1 + \offset), %dx
        movb    $\value, %al
        outb    %al, %dx
        .endm

        .code16
        .globl  _start
_start:
        cli
        xorw    %ax, %ax
        movw    %ax, %ds
        inb     $0x92, %al              /* A20, the fast way */
        orb     $2, %al
        outb    %al, $0x92
        lgdt    gdt_register
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmpl   $8, $protected

        .code32
protected:
        movw    $16, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movl    $0x7c00, %esp

        movl    $timer, %eax            /* below 64 KiB, selector 8 */
        orl     $0x80000, %eax
        movl    %eax, IDT + TIMER_VECTOR * 8
        movl    $0x8e00, IDT + TIMER_VECTOR * 8 + 4
        lidt    idt_register

        put     0x11, 0x20              /* both interrupt controllers */
        put     0x11, 0xa0
        put     TIMER_VECTOR, 0x21
        put     0x28, 0xa1
        put     4, 0x21
        put     2, 0xa1
        put     1, 0x21
        put     1, 0xa1
        put     0xfe, 0x21              /* the timer alone */
        put     0xff, 0xa1
        put     0x34, 0x43
        put     (TIMER_DIVISOR & 0xff), 0x40
        put     (TIMER_DIVISOR >> 8), 0x40
        put_com 0x80, 3                 /* 115200 baud, 8 bits */
        put_com 1, 0
        put_com 0, 1
        put_com 3, 3

        xorl    %ebp, %ebp              /* ticks so far */
        sti
tick:
        movl    $MEMORY, %edi
        movl    pages, %ecx
page:
        testl   %ebp, %ebp
        jz      write
        cmpl    %ebp, (%edi)
        jne     bad
        movl    %ebp, %eax
        xorl    %edi, %eax
        cmpl    %eax, 4092(%edi)
        je      write
bad:
        movb    $'E', %al
        call    print
write:
        leal    1(%ebp), %eax
        movl    %eax, (%edi)
        xorl    %edi, %eax
        movl    %eax, 4092(%edi)
        addl    $4096, %edi
        loop    page

        incl    %ebp
        movl    $word, %esi
letter:
        lodsb
        testb   %al, %al
        jz      number
        call    print
        jmp     letter
number:
        movl    %ebp, %eax
        movl    $10, %ebx
        pushl   $('\n' - '0')
digit:
        xorl    %edx, %edx
        divl    %ebx
        pushl   %edx
        testl   %eax, %eax
        jnz     digit
out:
        popl    %eax
        addb    $'0', %al
        call    print
        cmpb    $'\n', %al
        jne     out

        hlt
        hlt
        jmp     tick

/* Print %al; keeps it. */
print:
        pushl   %eax
        movw    $(COM1 + 5), %dx
busy:
        inb     %dx, %al
        testb   $0x20, %al
        jz      busy
        popl    %eax
        movw    $COM1, %dx
        outb    %al, %dx
        ret

timer:
        pushl   %eax
        put     0x20, 0x20
        popl    %eax
        iret

word:   .asciz  "tick "
        .balign 8
gdt:    .quad   0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdt_register:
        .word   23
        .long   gdt
idt_register:
        .word   (TIMER_VECTOR + 1) * 8 - 1
        .long   IDT

        .org    504
pages:  .long   1024
        .org    510
        .word   0xaa55
