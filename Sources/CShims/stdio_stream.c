#define _GNU_SOURCE
#include "stdio_stream.h"

#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct repeating {
    int descriptor;
    size_t length;
    size_t position;
    unsigned char bytes[];
};

static ssize_t repeating_read(void *cookie, char *into, size_t size) {
    struct repeating *stream = cookie;
    size_t left = stream->length - stream->position;
    if (left == 0) return read(stream->descriptor, into, size);
    if (size > left) size = left;
    memcpy(into, stream->bytes + stream->position, size);
    stream->position += size;
    return (ssize_t)size;
}

static int repeating_close(void *cookie) {
    struct repeating *stream = cookie;
    int result = close(stream->descriptor);
    free(stream);
    return result;
}

FILE *culvert_open_repeating(int descriptor, const void *bytes, size_t length) {
    struct repeating *stream = malloc(sizeof *stream + length);
    if (!stream) return NULL;
    stream->descriptor = descriptor;
    stream->length = length;
    stream->position = 0;
    if (length) memcpy(stream->bytes, bytes, length);
    cookie_io_functions_t functions = {.read = repeating_read, .close = repeating_close};
    FILE *file = fopencookie(stream, "r", functions);
    if (!file) free(stream);
    return file;
}

void culvert_forgo_locking(FILE *stream) { __fsetlocking(stream, FSETLOCKING_BYCALLER); }
