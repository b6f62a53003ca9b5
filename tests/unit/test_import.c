/* The development weights through the import, tensor by tensor. What else the import does is in
 * tests/bats/16-import-weights.bats. */
#include "weights/import.h"
#include "weights/safetensors.h"
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

int main(void)
{
    static const char weights[] = "../shared/weights/resnet34-init.safetensors";
    char path[] = "/tmp/onebox-import-XXXXXX";
    close(mkstemp(path));
    TEST("the development weights come out as they went in")
    {
        if (access(weights, R_OK) != 0) {
            SKIP("no %s here", weights);
            continue;
        }
        import_result r;
        error e = {0};
        safetensors in = {0}, out = {0};
        CHECK(!weights_import(weights, ARCHS, path, &r, &e), "%s", e.text);
        CHECK(r.arch == ARCH_RESNET34 && r.read == 182 && r.written == 182, "%s, %zu, %zu", arch_name(r.arch), r.read,
              r.written);
        CHECK(!safetensors_open(&in, weights, &e) && !safetensors_open(&out, path, &e), "%s", e.text);
        CHECK(in.count == 182 && out.count == 182, "%zu and %zu tensors", in.count, out.count);
        for (size_t i = 0; i < in.count; i++) {
            const safetensors_tensor *a = &in.tensors[i], *b = safetensors_find(&out, a->name);
            CHECK(b && b->bytes == a->bytes && b->dims == a->dims && memcmp(a->data, b->data, a->bytes) == 0,
                  "%s differs", a->name);
        }
        safetensors_close(&in);
        safetensors_close(&out);
    }
    TEST("a header as long as a zip archive's first bytes say is a safetensors header all the same")
    {
        static const struct {
            const char *bytes, *said;
        } files[] = {{"PK\3\4\0\0\0\0{}", "the header needs 67324752 bytes"},
                     {"PK\3\4\0\0\0\0ab", "zip"},
                     {"\x80\x02\x8a\x0a\0\0\0\0{}", "a header of 176816768 bytes"},
                     {"\x80\x02\x8a\x0a\0\0\0\0ab", "a pickle"}};
        for (size_t i = 0; i < COUNT(files); i++) {
            import_result r;
            error e = {0};
            FILE *f = fopen(path, "wb");
            fwrite(files[i].bytes, 10, 1, f);
            fclose(f);
            CHECK(weights_import(path, ARCHS, NULL, &r, &e) == ERR_INPUT && strstr(e.text, files[i].said), "%s",
                  e.text);
        }
    }
    unlink(path);
    return test_end();
}
