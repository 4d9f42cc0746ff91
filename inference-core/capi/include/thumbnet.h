#ifndef THUMBNET_H
#define THUMBNET_H

/* The core of thumbnet for C and C++. cbindgen makes this file of inference-core/capi/src.

   Addresses are checked for what can be seen: NULL, alignment, overlap, structures that were never set up. That as many bytes
   as a call says are there, and stay, is the caller's part. A network belongs to one thread at a time. */

#include <stddef.h>
#include <stdint.h>

// What the addresses of a model's bytes and of an arena are multiples of: kernels read whole words.
#define THUMBNET_ALIGNMENT 4

// Words of a thumbnet_network.
#define THUMBNET_NETWORK_WORDS 192

// What a function answers: below zero is an error. thumbnet_message says it in words.
enum Thumbnet
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // It is done.
  THUMBNET_OK = 0,
  // thumbnet_step: a row of a layer was computed; there may be more to do.
  THUMBNET_WORKED = 1,
  // thumbnet_step: nothing can be done before the next row is pushed.
  THUMBNET_NEEDS_ROW = 2,
  // thumbnet_step: the image is classified.
  THUMBNET_DONE = 3,
  // An address is NULL.
  THUMBNET_NULL = -1,
  // An address is not a multiple of what it has to be.
  THUMBNET_MISALIGNED = -2,
  // Memory for one purpose overlaps that for another.
  THUMBNET_OVERLAP = -3,
  // A thumbnet_model was not parsed, or a thumbnet_network not set up, or doing so has failed.
  THUMBNET_NOT_READY = -4,
  // The bytes do not begin with TNET.
  THUMBNET_NOT_A_MODEL = -10,
  // The model has a format version that this library does not read.
  THUMBNET_VERSION = -11,
  // The model has more or fewer bytes than it says.
  THUMBNET_LENGTH = -12,
  // The model was damaged.
  THUMBNET_CHECKSUM = -13,
  // The model has an operator that this library does not know.
  THUMBNET_OPERATOR = -14,
  // The model does not fit its format.
  THUMBNET_MALFORMED = -15,
  // The arena has fewer bytes than thumbnet_arena_len.
  THUMBNET_ARENA_TOO_SMALL = -20,
  // The library was built for another model, without the kernels that this one needs.
  THUMBNET_KERNEL_MISSING = -21,
  // A row or an image has not as many bytes as the model takes, or there is not room for as many outputs as it gives.
  THUMBNET_WRONG_LENGTH = -30,
  // The image has all its rows: thumbnet_begin comes before the next one.
  THUMBNET_TOO_MANY_ROWS = -31,
  // The image has not all its rows yet.
  THUMBNET_MISSING_ROWS = -32,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum Thumbnet Thumbnet;
#else
typedef int32_t Thumbnet;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// A model: the caller's memory, what is in it is the library's.
typedef struct thumbnet_model {
  size_t private_[4];
} thumbnet_model;

// The size of what enters or leaves a network: rows, pixels of a row, values of a pixel.
typedef struct thumbnet_shape {
  // Rows.
  uint16_t height;
  // Pixels of a row.
  uint16_t width;
  // Values of a pixel.
  uint16_t channels;
} thumbnet_shape;

// A network: the caller's memory, what is in it is the library's.
typedef struct thumbnet_network {
  size_t private_[THUMBNET_NETWORK_WORDS];
} thumbnet_network;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// An answer in words, in English, with what to do about an error. Never NULL; the text stays.
const char *thumbnet_message(int32_t status);

// Checks a .tnet file of `len` bytes, once and thoroughly: after this, running it cannot fail, whatever the bytes.
//
// `model` keeps the address: the bytes have to stay where they are as long as it, and networks of it, are used.
// They begin at a multiple of THUMBNET_ALIGNMENT.
Thumbnet thumbnet_parse(struct thumbnet_model *model, const uint8_t *bytes, size_t len);

// Bytes of memory that a network of this model works in; 0 for a model that was not parsed.
size_t thumbnet_arena_len(const struct thumbnet_model *model);

// The shape of what enters: one byte each, row by row, channel fastest; zeros for a model that was not parsed.
struct thumbnet_shape thumbnet_input(const struct thumbnet_model *model);

// The shape of what leaves; zeros for a model that was not parsed.
struct thumbnet_shape thumbnet_output(const struct thumbnet_model *model);

// How many values leave: height * width * channels of thumbnet_output.
size_t thumbnet_outputs(const struct thumbnet_model *model);

// What enters is a real value / this scale + thumbnet_input_zero_point, rounded, from 0 to 255.
float thumbnet_input_scale(const struct thumbnet_model *model);

// The byte that stands for a real zero in what enters.
uint8_t thumbnet_input_zero_point(const struct thumbnet_model *model);

// The real value of a logit is the logit * this scale.
float thumbnet_output_scale(const struct thumbnet_model *model);

// Sets a network up that works in `arena`, of which thumbnet_arena_len bytes are enough.
//
// `network` keeps the arena's address and that of the model's bytes; `model` itself is not needed any more. The arena begins
// at a multiple of THUMBNET_ALIGNMENT; nothing else may be in it while the network is used.
Thumbnet thumbnet_init(struct thumbnet_network *network, const struct thumbnet_model *model, uint8_t *arena, size_t arena_len);

// Begins an image, and forgets the one before.
Thumbnet thumbnet_begin(struct thumbnet_network *network);

// Takes the next row of the image, `len` = width * channels bytes, after the work that is still open.
Thumbnet thumbnet_push_row(struct thumbnet_network *network, const uint8_t *row, size_t len);

// Computes one row of one layer, and says whether there is more to do: THUMBNET_WORKED, THUMBNET_NEEDS_ROW or THUMBNET_DONE.
// Nobody has to call it: it divides the work that thumbnet_push_row and thumbnet_logits do otherwise.
Thumbnet thumbnet_step(struct thumbnet_network *network);

// Takes a whole image, `len` = height * width * channels bytes, and does all its work.
//
// `result`: the index of the largest output, the first one where several are equal; of a single output, whether it is above zero.
Thumbnet thumbnet_classify(struct thumbnet_network *network, const uint8_t *pixels, size_t len, size_t *result);

// The class of an image that has all its rows, as thumbnet_classify gives it, after the work that is still open.
Thumbnet thumbnet_class(struct thumbnet_network *network, size_t *result);

// The outputs for an image that has all its rows, after the work that is still open. `count` = thumbnet_outputs.
Thumbnet thumbnet_logits(struct thumbnet_network *network, int32_t *logits, size_t count);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* THUMBNET_H */
