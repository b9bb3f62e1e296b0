#include "variants.h"

static int draw(split_pool* pool, scene* at) {
    at->in.channels = RANDOM_OF(1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 32, 33, 50);
    at->out.channels = at->in.channels;
    at->window.rows = random_between(1, 5);
    at->window.columns = random_between(1, 5);
    if (random_one_in(30)) { /* more than a product can divide by */
        at->in.channels = at->out.channels = random_between(1, 2);
        at->window.rows = 10;
        at->in.columns = at->window.columns = random_between(380, 900);
    }
    if (!scene_place(at, 1)) {
        return 0;
    }
    random_range(&pool->min, &pool->max);
    pool->window = at->window;
    return 1;
}

int case_max_pool(void) {
    scene at = {0};
    split_pool pool;
    if (!draw(&pool, &at)) {
        return -1;
    }
    portable_max_pool_row(&pool, scene_rows(&at, PORTABLE), &at.in, memory_at(PORTABLE, at.output), &at.out);
    split_nn_max_pool_row(&pool, scene_rows(&at, VARIANT), &at.in, memory_at(VARIANT, at.output), &at.out);
    return memory_is_equal();
}

int case_average_pool(void) {
    scene at = {0};
    split_pool pool;
    if (!draw(&pool, &at)) {
        return -1;
    }
    portable_average_pool_row(&pool, scene_rows(&at, PORTABLE), &at.in, memory_at(PORTABLE, at.output), &at.out);
    split_nn_average_pool_row(&pool, scene_rows(&at, VARIANT), &at.in, memory_at(VARIANT, at.output), &at.out);
    return memory_is_equal();
}
