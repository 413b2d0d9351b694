/*
 * libc.so as Android's libraries expect it, on top of glibc.
 *
 * The AAR's libtensorflowlite_jni.so asks for symbols of version LIBC, which glibc does not have.
 * Most mean the same there: forwards.h, generated from the library itself, jumps to glibc's. The
 * rest differ in what they are given or what they mean, and are written here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT(own, name) __asm__(".symver " #own "," #name "@LIBC")

#if defined(__x86_64__)
#define JUMP(name) "jmp " #name "@PLT"
#elif defined(__aarch64__)
#define JUMP(name) "b " #name
#else
#error "a jump for this processor is not written"
#endif

/* A jump leaves registers and stack alone, so any signature passes, variadic ones too. */
#define FORWARD(name)                                                                        \
    __asm__(".text\n.globl to_" #name "\n.type to_" #name ",%function\nto_" #name ": "      \
            JUMP(name) "\n.symver to_" #name "," #name "@LIBC");
#include "forwards.h"

/* bionic's stdin, stdout and stderr are elements of an array of 152-byte FILEs. */
#define BIONIC_FILE_BYTES 152
char bionic_sF[3 * BIONIC_FILE_BYTES];
EXPORT(bionic_sF, __sF);

static FILE *own(FILE *file) {
    char *place = (char *)file;
    if (place < bionic_sF || place >= bionic_sF + sizeof bionic_sF) return file;
    FILE *standard[] = {stdin, stdout, stderr};
    return standard[(place - bionic_sF) / BIONIC_FILE_BYTES];
}

int bionic_vfprintf(FILE *file, const char *format, va_list arguments) {
    return vfprintf(own(file), format, arguments);
}
EXPORT(bionic_vfprintf, vfprintf);

int bionic_fprintf(FILE *file, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int written = vfprintf(own(file), format, arguments);
    va_end(arguments);
    return written;
}
EXPORT(bionic_fprintf, fprintf);

int bionic_fputc(int character, FILE *file) { return fputc(character, own(file)); }
EXPORT(bionic_fputc, fputc);

int bionic_fflush(FILE *file) { return fflush(file ? own(file) : NULL); }
EXPORT(bionic_fflush, fflush);

size_t bionic_fwrite(const void *from, size_t size, size_t count, FILE *file) {
    return fwrite(from, size, count, own(file));
}
EXPORT(bionic_fwrite, fwrite);

size_t bionic_fread(void *into, size_t size, size_t count, FILE *file) {
    return fread(into, size, count, own(file));
}
EXPORT(bionic_fread, fread);

int bionic_fileno(FILE *file) { return fileno(own(file)); }
EXPORT(bionic_fileno, fileno);

int bionic_fclose(FILE *file) { return fclose(own(file)); }
EXPORT(bionic_fclose, fclose);

/* bionic's mutex has 40 bytes on every 64-bit processor, glibc's 48 on arm64, the last 8 unused. */
#define BIONIC_MUTEX_BYTES 40
int bionic_mutex_init(void *mutex, const pthread_mutexattr_t *attributes) {
    pthread_mutex_t whole;
    int failure = pthread_mutex_init(&whole, attributes);
    if (!failure) memcpy(mutex, &whole, BIONIC_MUTEX_BYTES);
    return failure;
}
EXPORT(bionic_mutex_init, pthread_mutex_init);

/*
 * XNNPACK is built here as for phones, and asks for 32 bytes of alignment; its AVX-512 kernels, which
 * it takes where the processor has them, load 64 bytes aligned. glibc gives no more than what was
 * asked for, and such a load ends the process.
 */
#define WIDEST_LOAD_BYTES 64
static size_t aligned_for_loads(size_t alignment) {
    return alignment < WIDEST_LOAD_BYTES ? WIDEST_LOAD_BYTES : alignment;
}

void *bionic_memalign(size_t alignment, size_t size) {
    return memalign(aligned_for_loads(alignment), size);
}
EXPORT(bionic_memalign, memalign);

int bionic_posix_memalign(void **into, size_t alignment, size_t size) {
    /* A refusal stays one: no power of two, or no multiple of a pointer's size. */
    if (alignment == 0 || alignment % sizeof(void *) || alignment & (alignment - 1)) return EINVAL;
    return posix_memalign(into, aligned_for_loads(alignment), size);
}
EXPORT(bionic_posix_memalign, posix_memalign);

void *bionic_aligned_alloc(size_t alignment, size_t size) {
    return aligned_alloc(aligned_for_loads(alignment), size);
}
EXPORT(bionic_aligned_alloc, aligned_alloc);

/* Functions that glibc does not have, or has under another name. */
int *bionic_errno(void) { return &errno; }
EXPORT(bionic_errno, __errno);

size_t bionic_strlen_chk(const char *text, size_t room) {
    size_t length = strlen(text);
    if (length >= room) abort();
    return length;
}
EXPORT(bionic_strlen_chk, __strlen_chk);

extern int __xpg_strerror_r(int number, char *into, size_t room);
int bionic_strerror_r(int number, char *into, size_t room) {
    return __xpg_strerror_r(number, into, room);
}
EXPORT(bionic_strerror_r, strerror_r);

/*
 * The library asks for the API level before it creates the XNNPACK delegate: without an answer it
 * takes kernels that no phone of today takes, which are slower and round int8 layers otherwise.
 */
int bionic_system_property_get(const char *name, char *value) {
    strcpy(value, strcmp(name, "ro.build.version.sdk") ? "" : "34");
    return (int)strlen(value);
}
EXPORT(bionic_system_property_get, __system_property_get);

void bionic_set_abort_message(const char *message) { fprintf(stderr, "%s\n", message); }
EXPORT(bionic_set_abort_message, android_set_abort_message);

/* bionic numbers the questions to sysconf differently. */
long bionic_sysconf(int question) {
    switch (question) {
        case 39: /* _SC_PAGESIZE */
        case 40: /* _SC_PAGE_SIZE */
            return sysconf(_SC_PAGESIZE);
        case 96: return sysconf(_SC_NPROCESSORS_CONF);
        case 97: return sysconf(_SC_NPROCESSORS_ONLN);
        case 98: return sysconf(_SC_PHYS_PAGES);
        default:
            fprintf(stderr, "bionic.c: sysconf(%d) has no answer here\n", question);
            abort();
    }
}
EXPORT(bionic_sysconf, sysconf);
