/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds each file of the folders given as arguments to a fuzz target: what was once found stays found. An empty run fails. */
#include "tests/fuzz/fuzz.h"

#include "common/base/base.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

OF_DEFINE_CLEANUP(FILE, fclose, close_file)
OF_DEFINE_CLEANUP(DIR, closedir, close_folder)

static bool replay_file(const char *path)
{
    OF_CLEANUP(close_file) FILE *f = fopen(path, "re");
    struct stat st;
    if (!f || fstat(fileno(f), &st) != 0) {
        (void)fprintf(stderr, "%s: cannot be read\n", path);
        return false;
    }
    size_t size = (size_t)st.st_size;
    OF_CLEANUP(of_freep) uint8_t *data = of_alloc(size); /* the exact size: a sanitizer sees what reads beyond it */
    if (fread(data, 1, size, f) != size) {
        (void)fprintf(stderr, "%s: cannot be read whole\n", path);
        return false;
    }
    (void)LLVMFuzzerTestOneInput(data, size);
    return true;
}

/* The number of files, -1 if something could not be read. */
static int replay_folder(const char *folder)
{
    OF_CLEANUP(close_folder) DIR *dir = opendir(folder);
    if (!dir) {
        (void)fprintf(stderr, "%s: cannot be opened\n", folder);
        return -1;
    }
    int n = 0;
    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        OF_CLEANUP(of_freep) char *path = of_asprintf("%s/%s", folder, entry->d_name);
        if (!replay_file(path)) {
            return -1;
        }
        n++;
    }
    return n;
}

int main(int argc, char **argv)
{
    int total = 0;
    for (int i = 1; i < argc; i++) {
        int n = replay_folder(argv[i]);
        if (n < 0) {
            return 1;
        }
        total += n;
    }
    (void)printf("%d inputs\n", total);
    return total > 0 ? 0 : 1;
}
