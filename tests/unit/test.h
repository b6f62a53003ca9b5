/* test.h - checks of the unit tests. A test program prints one "ok - sentence" or "not ok - sentence: why"
 * line per test and ends with test_end(), whose value is its exit status. */
#ifndef ONEBOX_TEST_H
#define ONEBOX_TEST_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int test_failures, test_count;
static const char *test_name = "";
static bool test_ok, test_skipped;

#define TEST(sentence) for (bool test_once = test_start(sentence); test_once; test_once = test_stop())

static inline bool test_start(const char *sentence)
{
    test_name = sentence;
    test_ok = true;
    test_skipped = false;
    return true;
}

static inline bool test_stop(void)
{
    test_count++;
    if (test_ok && !test_skipped)
        printf("ok %d - %s\n", test_count, test_name);
    else if (!test_ok)
        test_failures++;
    fflush(stdout);
    return false;
}

/* CHECK(condition, "format", …): the format says what was seen. */
#define CHECK(condition, ...)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            if (test_ok)                                                                                               \
                printf("not ok %d - %s\n", test_count + 1, test_name);                                                 \
            test_ok = false;                                                                                           \
            printf("#   %s:%d: %s: ", __FILE__, __LINE__, #condition);                                                 \
            printf(__VA_ARGS__);                                                                                       \
            printf("\n");                                                                                              \
        }                                                                                                              \
    } while (0)

/* The test can't run here, and says why. */
#define SKIP(...)                                                                                                      \
    do {                                                                                                               \
        printf("ok %d - %s # skip ", test_count + 1, test_name);                                                       \
        printf(__VA_ARGS__);                                                                                           \
        printf("\n");                                                                                                  \
        test_skipped = true;                                                                                           \
    } while (0)

static inline int test_end(void)
{
    printf("1..%d\n", test_count);
    return test_failures != 0;
}

#endif
