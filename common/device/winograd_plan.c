/* winograd_plan.c - which convolutions are served, pictures into tiles, tiles into blocks of threads or of all threads,
 * and what the passes do alike for each block: pieces of the weights' gradient, the epilogue, rows of sums. The block
 * sizes are measured ones: see SPEED.md. */
#include "device/winograd_plan.h"

#include "device/instructions.h"

#include <stdint.h>

bool winograd_supported(const winograd_shape *s)
{
    return s->on->winograd[s->numbers] && s->c >= 16 && s->k >= 16 && s->c % 16 == 0 && s->k % 16 == 0 && s->n >= 1 &&
           s->h >= 1 && s->w >= 1;
}

static int tail_size(int side)
{
    const int rest = side % 4;
    return rest == 0 ? 4 : rest == 3 ? 3 : 2;
}

tiling tiling_of(const winograd_shape *s)
{
    return (tiling){.h = s->h,
                    .w = s->w,
                    .rows = divide_up(s->h, 4),
                    .columns = divide_up(s->w, 4),
                    .tail_y = tail_size(s->h),
                    .tail_x = tail_size(s->w)};
}

int tiling_count(const winograd_shape *s)
{
    return s->n * divide_up(s->h, 4) * divide_up(s->w, 4);
}

/* Tiles of `size` outputs have no point -b (3), neither b nor -b (2). */
static bool size_has_coef(int size, int i)
{
    return size == 4 || i == 5 || i <= size;
}

void tile_block_fill(tile_block *b, const tiling *t, int start, int count)
{
    static const int order[TILE_CLASSES] = {1, 0, 2, 3};
    tile natural[MAX_BLOCK_TILES];
    int of_class[TILE_CLASSES] = {0};
    int row = start / t->columns, column = start % t->columns;
    int n = row / t->rows;
    row %= t->rows;
    for (int i = 0; i < count; i++) {
        const int kind =
            (row == t->rows - 1 && t->tail_y < 4 ? 2 : 0) | (column == t->columns - 1 && t->tail_x < 4 ? 1 : 0);
        natural[i] = (tile){.n = n, .y = row * 4, .x = column * 4, .kind = kind};
        of_class[kind]++;
        if (++column == t->columns) {
            column = 0;
            if (++row == t->rows) {
                row = 0;
                n++;
            }
        }
    }
    int next[TILE_CLASSES], at = 0;
    for (int i = 0; i < TILE_CLASSES; i++) {
        next[order[i]] = at;
        at += of_class[order[i]];
    }
    for (int i = 0; i < count; i++)
        b->tiles[next[natural[i].kind]++] = natural[i];
    b->count = count;
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++) {
            const bool row_has = size_has_coef(t->tail_y, i), column_has = size_has_coef(t->tail_x, j);
            int end = of_class[1] + of_class[0];
            if (row_has)
                end += of_class[2] + (column_has ? of_class[3] : 0);
            b->first[i * 6 + j] = (short)(column_has ? 0 : of_class[1]);
            b->end[i * 6 + j] = (short)end;
        }
}

/* Blocks of at most `tiles`, equally large and, where there are enough tiles, as many for each thread. */
static blocking even_blocks(int total, int tiles, int workers)
{
    blocking b = {0};
    const int blocks = divide_up(divide_up(total, tiles), workers) * workers;
    b.tiles = divide_up(total, blocks);
    b.blocks = divide_up(total, b.tiles);
    return b;
}

blocking blocking_forward(const winograd_shape *s, int threads)
{
    const int total = tiling_count(s);
    blocking b;
    /* With few tiles for each thread, reading all weights would take longer than the products. */
    if (s->c <= 128 || total >= 24 * threads) {
        b = even_blocks(total, s->c <= 64 ? 24 : s->c <= 128 ? 36 : 64, threads);
        b.ranges = 1;
        return b;
    }
    b = even_blocks(total, s->c <= 256 ? 64 : 128, 1);
    b.shared = true;
    b.ranges = divide_up(2 * threads, divide_up(s->k, K_BLOCK));
    b.ranges = min_int(b.ranges, divide_up(b.tiles, PRODUCT_ROWS));
    return b;
}

blocking blocking_weights(const winograd_shape *s, int threads)
{
    const int total = tiling_count(s);
    const size_t gradient_bytes = (size_t)s->c * (size_t)s->k * COEFS * sizeof(float);
    blocking b;
    if (s->c <= 128 && gradient_bytes * (size_t)threads <= (size_t)32 << 20)
        return even_blocks(total, 42, threads);
    b = even_blocks(total, s->c <= 256 ? 128 : 256, 1);
    b.shared = true;
    return b;
}

/* ---- what is done alike for each block */

int piece_count(int c, int k)
{
    return divide_up(c, C_BLOCK) * divide_up(k, K_BLOCK);
}

piece_place piece_at(int c, int k, int index)
{
    const int along = divide_up(c, C_BLOCK), from_c = index % along * C_BLOCK, from_k = index / along * K_BLOCK;
    return (piece_place){
        .c = from_c, .channels = min_int(C_BLOCK, c - from_c), .k = from_k, .width = k_block_width(from_k, k)};
}

bool stores_stream(const void *dst, size_t bytes)
{
    const size_t caches = (size_t)8 << 20;
    return bytes > caches && (uintptr_t)dst % 64 == 0;
}

void row_keep(float *row, int channels, int channel, const float sums[32])
{
    for (int j = 0; j < 16; j++) {
        row[channel + j] = sums[j];
        row[channels + channel + j] = sums[16 + j];
    }
}

void rows_add(const winograd_epilogue *e, const float *rows, int count, int channels)
{
    const int width = 2 * channels;
    for (int i = 0; i < width; i++)
        e->sums[i] = 0;
    for (int row = 0; row < count; row++)
        for (int i = 0; i < width; i++)
            e->sums[i] += (double)rows[(ptrdiff_t)row * width + i];
}
