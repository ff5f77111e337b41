/* SPDX-License-Identifier: Apache-2.0 */
#include "common/metrics/metrics_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* The beginning of a file in /proc; empty if it cannot be read. */
static const char *read_proc(const char *path, char *buf, size_t size)
{
    buf[0] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return buf;
    }
    size_t len = 0;
    ssize_t n = 1;
    while (n > 0 && len + 1 < size) {
        n = read(fd, buf + len, size - 1 - len);
        if (n > 0) {
            len += (size_t)n;
        } else if (n < 0 && errno == EINTR) {
            n = 1;
        }
    }
    close(fd);
    buf[len] = '\0';
    return buf;
}

/* Field `number` (counted from 1, above 2) of /proc/self/stat. The name in field 2 may hold anything, so count behind it. */
static double stat_field(const char *stat, int number)
{
    const char *p = strrchr(stat, ')');
    for (int i = 2; p && i < number; i++) {
        p = strchr(p + 1, ' ');
    }
    return p ? strtod(p + 1, NULL) : 0;
}

static double boot_time(void)
{
    OF_CLEANUP(of_freep) char *text = of_alloc(256 * 1024); /* long lines of interrupts stand before it */
    const char *line = strstr(read_proc("/proc/stat", text, 256 * 1024), "\nbtime ");
    return line ? strtod(line + 7, NULL) : 0;
}

static int count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    if (!dir) {
        return 0;
    }
    int n = -1; /* the one of this very folder */
    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        n += entry->d_name[0] != '.';
    }
    (void)closedir(dir);
    return n;
}

static void write_value(struct of_buf *b, const char *name, const char *kind, const char *help, double v)
{
    of_buf_fmt(b, "# HELP %s %s\n# TYPE %s %s\n%s ", name, help, name, kind, name);
    of_metrics_number(b, v);
    of_buf_char(b, '\n');
}

void of_metrics_write_process(struct of_buf *b)
{
    char stat[1024];
    (void)read_proc("/proc/self/stat", stat, sizeof(stat));
    double ticks = (double)sysconf(_SC_CLK_TCK);
    double page = (double)sysconf(_SC_PAGESIZE);
    struct rlimit fds = {0};
    (void)getrlimit(RLIMIT_NOFILE, &fds);
    write_value(b, "process_cpu_seconds_total", "counter", "CPU time, user and system",
                (stat_field(stat, 14) + stat_field(stat, 15)) / ticks);
    write_value(b, "process_start_time_seconds", "gauge", "Start, in seconds since 1970",
                boot_time() + stat_field(stat, 22) / ticks);
    write_value(b, "process_virtual_memory_bytes", "gauge", "Address space", stat_field(stat, 23));
    write_value(b, "process_resident_memory_bytes", "gauge", "Memory in use", stat_field(stat, 24) * page);
    write_value(b, "process_open_fds", "gauge", "Open file descriptors", count_fds());
    write_value(b, "process_max_fds", "gauge", "Most file descriptors that may be open", (double)fds.rlim_cur);
    of_buf_str(b, "# HELP openfaith_build_info The running version\n# TYPE openfaith_build_info gauge\n"
                  "openfaith_build_info{version=\"" OF_VERSION "\"} 1\n");
}
