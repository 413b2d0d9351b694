/*
 * Runs a model with the C API of Android's libtensorflowlite_jni.so, for a processor that the JVM
 * does not run on: engine LIBRARY MODEL THREADS.
 *
 * First it writes one line of JSON: runtime_version, input_bytes, output_bytes. Then, for every
 * input tensor on the standard input, it writes the latency in milliseconds, a little-endian
 * double, and the output tensor. It ends with 0 where the input ends; 2 is a refusal, said on the
 * standard error.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the latency is written as it is stored"
#endif

/*
 * Code built for bionic compares the word at thread pointer + 0x28 before and after each function
 * (its stack guard). With glibc that place belongs to the first thread-local variables: a constant
 * there, of this program, keeps the comparison true.
 */
__thread volatile char guard_room[256] = {1};

typedef struct TfLiteModel Model;
typedef struct TfLiteInterpreterOptions Options;
typedef struct TfLiteInterpreter Interpreter;
typedef struct TfLiteTensor Tensor;
typedef struct TfLiteOpaqueDelegateStruct Delegate;

/* The head of TfLiteXNNPackDelegateOptions, in more room than it takes; only copied here. */
typedef struct {
    int threads;
    unsigned flags;
    char rest[120];
} XnnpackOptions;

/* The part of tensorflow/lite/c/c_api.h that is used; a status of 0 is success. */
static const char *(*TfLiteVersion)(void);
static Model *(*TfLiteModelCreateFromFile)(const char *path);
static Options *(*TfLiteInterpreterOptionsCreate)(void);
static void (*TfLiteInterpreterOptionsSetNumThreads)(Options *, int threads);
static Interpreter *(*TfLiteInterpreterCreate)(const Model *, const Options *);
static int (*TfLiteInterpreterAllocateTensors)(Interpreter *);
static Tensor *(*TfLiteInterpreterGetInputTensor)(const Interpreter *, int index);
static const Tensor *(*TfLiteInterpreterGetOutputTensor)(const Interpreter *, int index);
static void (*TfLiteInterpreterOptionsAddDelegate)(Options *, Delegate *);
static XnnpackOptions (*TfLiteXNNPackDelegateOptionsDefault)(void);
static Delegate *(*TfLiteXNNPackDelegateCreate)(const XnnpackOptions *);
static int (*TfLiteInterpreterInvoke)(Interpreter *);
static size_t (*TfLiteTensorByteSize)(const Tensor *);
static int (*TfLiteTensorCopyFromBuffer)(Tensor *, const void *from, size_t bytes);
static int (*TfLiteTensorCopyToBuffer)(const Tensor *, void *into, size_t bytes);

static void refuse(const char *what) {
    fprintf(stderr, "engine: %s\n", what);
    exit(2);
}

static void *checked(void *pointer, const char *what) {
    if (!pointer) refuse(what);
    return pointer;
}

static void bind(const char *path) {
    void *library = dlopen(path, RTLD_NOW);
    if (!library) refuse(dlerror());
#define BIND(name) *(void **)&name = checked(dlsym(library, #name), "the library has no " #name)
    BIND(TfLiteVersion);
    BIND(TfLiteModelCreateFromFile);
    BIND(TfLiteInterpreterOptionsCreate);
    BIND(TfLiteInterpreterOptionsSetNumThreads);
    BIND(TfLiteInterpreterOptionsAddDelegate);
    BIND(TfLiteXNNPackDelegateOptionsDefault);
    BIND(TfLiteXNNPackDelegateCreate);
    BIND(TfLiteInterpreterCreate);
    BIND(TfLiteInterpreterAllocateTensors);
    BIND(TfLiteInterpreterGetInputTensor);
    BIND(TfLiteInterpreterGetOutputTensor);
    BIND(TfLiteInterpreterInvoke);
    BIND(TfLiteTensorByteSize);
    BIND(TfLiteTensorCopyFromBuffer);
    BIND(TfLiteTensorCopyToBuffer);
}

static double now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

/* Returns 0 at the end of the input, which may only come between two tensors. */
static int read_tensor(void *into, size_t bytes) {
    size_t got = fread(into, 1, bytes, stdin);
    if (got != 0 && got != bytes) refuse("the input ends within a tensor");
    return got == bytes;
}

static void write_out(const void *from, size_t bytes) {
    if (fwrite(from, 1, bytes, stdout) != bytes) refuse("the output cannot be written");
}

int main(int count, char **arguments) {
    guard_room[0] = 2; /* used, so that it is kept */
    if (count != 4) refuse("usage: engine LIBRARY MODEL THREADS");
    /* Under qemu-user more threads end in a bus error. */
    if (strcmp(arguments[3], "1")) refuse("only one thread is possible here");
    bind(arguments[1]);
    Model *model = checked(TfLiteModelCreateFromFile(arguments[2]), "the model cannot be read");
    Options *options = checked(TfLiteInterpreterOptionsCreate(), "no options");
    TfLiteInterpreterOptionsSetNumThreads(options, 1);
    /* As the app's engine does; without it int8 layers are rounded by other kernels. */
    XnnpackOptions xnnpack = TfLiteXNNPackDelegateOptionsDefault();
    TfLiteInterpreterOptionsAddDelegate(
        options, checked(TfLiteXNNPackDelegateCreate(&xnnpack), "no XNNPACK delegate"));
    Interpreter *interpreter =
        checked(TfLiteInterpreterCreate(model, options), "the runtime does not load the model");
    if (TfLiteInterpreterAllocateTensors(interpreter)) refuse("the tensors cannot be allocated");
    Tensor *input = checked(TfLiteInterpreterGetInputTensor(interpreter, 0), "no input");
    const Tensor *output = checked(
        (void *)TfLiteInterpreterGetOutputTensor(interpreter, 0), "no output");
    size_t input_bytes = TfLiteTensorByteSize(input), output_bytes = TfLiteTensorByteSize(output);
    void *fed = checked(malloc(input_bytes), "no memory");
    void *answer = checked(malloc(output_bytes), "no memory");

    printf("{\"runtime_version\":\"%s\",\"input_bytes\":%zu,\"output_bytes\":%zu}\n",
           TfLiteVersion(), input_bytes, output_bytes);
    fflush(stdout);
    while (read_tensor(fed, input_bytes)) {
        if (TfLiteTensorCopyFromBuffer(input, fed, input_bytes)) refuse("the input is not taken");
        double start_ms = now_ms();
        if (TfLiteInterpreterInvoke(interpreter)) refuse("the model cannot be run");
        double latency_ms = now_ms() - start_ms;
        if (TfLiteTensorCopyToBuffer(output, answer, output_bytes)) refuse("no output is given");
        write_out(&latency_ms, sizeof latency_ms);
        write_out(answer, output_bytes);
        if (fflush(stdout)) refuse("the output cannot be written");
    }
    return 0;
}
