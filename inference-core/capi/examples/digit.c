/* Classifies pictures, whole and row by row, and prints every output. C99, or C++11. */
#include <stdio.h>

#include "thumbnet.h"

/* Made of a model and pictures: NANO, its bytes, and IMAGES. */
#include "nano.h"

static uint8_t arena[NANO_ARENA_LEN] NANO_ALIGNED;
static int32_t logits[NANO_OUTPUTS];
static thumbnet_network network;

static int check(int32_t status, const char *what) {
    if (status >= 0) {
        return 1;
    }
    printf("%s: %s\n", what, thumbnet_message(status));
    return 0;
}

static int print(const char *how) {
    size_t result = 0, i;
    if (!check(thumbnet_class(&network, &result), "class") ||
        !check(thumbnet_logits(&network, logits, NANO_OUTPUTS), "logits")) {
        return 0;
    }
    printf("%s: a %u:", how, (unsigned)result);
    for (i = 0; i < NANO_OUTPUTS; i++) {
        printf(" %ld", (long)logits[i]);
    }
    printf("\n");
    return 1;
}

int main(void) {
    thumbnet_model model;
    thumbnet_shape input;
    size_t image, row, result;

    if (!check(thumbnet_parse(&model, nano, sizeof nano), "the model") ||
        !check(thumbnet_init(&network, &model, arena, sizeof arena), "the arena")) {
        return 1;
    }
    input = thumbnet_input(&model);
    for (image = 0; image < NANO_IMAGES; image++) {
        const uint8_t *pixels = images[image];
        if (!check(thumbnet_classify(&network, pixels, sizeof images[image], &result), "classify") ||
            !print("whole")) {
            return 1;
        }
        /* As a camera gives it; between two rows, as much of the work as there is time for. */
        check(thumbnet_begin(&network), "begin");
        for (row = 0; row < input.height; row++) {
            size_t row_len = (size_t)input.width * input.channels;
            if (!check(thumbnet_push_row(&network, pixels + row * row_len, row_len), "row")) {
                return 1;
            }
            while (thumbnet_step(&network) == THUMBNET_WORKED) {
            }
        }
        if (!print("by rows")) {
            return 1;
        }
    }
    /* What is wrong is said. */
    printf("%s\n", thumbnet_message(thumbnet_push_row(&network, images[0], 3)));
    return 0;
}
