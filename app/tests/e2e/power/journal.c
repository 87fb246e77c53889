/* Keeps a journal of what a process does to the files in POWER_DIR: what it writes, and when it
 * has asked for it to be safe. A test makes of it what a disk may hold after a power cut
 * (power/journal.rs reads it). Preloaded into the real executable; every call is done as well.
 *
 * One entry: kind, length of the path, number of the file, place, length of the data; path; data.
 * All in the order in which it was done: one lock is held over each call and its entry. A sync has
 * two entries, one before and one after: what is written meanwhile may or may not be in it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct head {
    uint32_t kind, path_len;
    uint64_t file, at, len;
};

#define FILES 65536
static char watched[FILES];
static char dir[PATH_MAX];
static int journal = -1;
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void entry(char kind, uint64_t file, uint64_t at, const char *path, const void *data,
                  size_t len) {
    struct head head = {(uint32_t)kind, path ? strlen(path) : 0, file, at, len};
    struct iovec parts[3] = {{&head, sizeof head},
                             {(void *)path, head.path_len},
                             {(void *)data, len}};
    if (REAL(writev)(journal, parts, 3) != (ssize_t)(sizeof head + head.path_len + len))
        abort();
}

static int is_watched(int fd) { return fd >= 0 && fd < FILES && watched[fd]; }

static uint64_t number(int fd) {
    struct stat found;
    return fstat(fd, &found) == 0 ? found.st_ino : 0;
}

/* The whole path, if it is the directory's, or one in it. */
static int below(const char *path, char *whole) {
    char here[PATH_MAX] = "";
    if (journal < 0)
        return 0;
    if (path[0] != '/' && !getcwd(here, sizeof here))
        return 0;
    if (snprintf(whole, PATH_MAX, "%s%s%s", here, here[0] ? "/" : "", path) >= PATH_MAX)
        return 0;
    size_t len = strlen(dir);
    return strncmp(whole, dir, len) == 0 && (whole[len] == '/' || whole[len] == 0);
}

static int opened(int fd, const char *whole, int flags, int was_there) {
    if (fd >= 0 && fd < FILES) {
        watched[fd] = 1;
        entry(was_there ? 'O' : 'C', number(fd), 0, whole, NULL, 0);
        if (was_there && (flags & O_TRUNC))
            entry('T', number(fd), 0, NULL, NULL, 0);
    }
    return fd;
}

#define OPEN(name, FIRST, first)                                                                   \
    int name(FIRST const char *path, int flags, ...) {                                             \
        char whole[PATH_MAX];                                                                      \
        va_list more;                                                                              \
        va_start(more, flags);                                                                     \
        mode_t mode = va_arg(more, mode_t);                                                        \
        va_end(more);                                                                              \
        if (!below(path, whole))                                                                   \
            return REAL(name)(first path, flags, mode);                                            \
        pthread_mutex_lock(&order);                                                                \
        int was_there = access(whole, F_OK) == 0;                                                  \
        int fd = opened(REAL(name)(first path, flags, mode), whole, flags, was_there);             \
        pthread_mutex_unlock(&order);                                                              \
        return fd;                                                                                 \
    }
#define NONE
#define AT int at,
#define GIVEN at,
OPEN(open, NONE, NONE)
OPEN(open64, NONE, NONE)
OPEN(openat, AT, GIVEN)
OPEN(openat64, AT, GIVEN)

int close(int fd) {
    if (fd >= 0 && fd < FILES)
        watched[fd] = 0;
    return REAL(close)(fd);
}

#define PWRITE(name, OFF)                                                                          \
    ssize_t name(int fd, const void *data, size_t len, OFF at) {                                   \
        if (!is_watched(fd))                                                                       \
            return REAL(name)(fd, data, len, at);                                                  \
        pthread_mutex_lock(&order);                                                                \
        ssize_t done = REAL(name)(fd, data, len, at);                                              \
        if (done > 0)                                                                              \
            entry('W', number(fd), (uint64_t)at, NULL, data, (size_t)done);                        \
        pthread_mutex_unlock(&order);                                                              \
        return done;                                                                               \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t write(int fd, const void *data, size_t len) {
    if (!is_watched(fd))
        return REAL(write)(fd, data, len);
    pthread_mutex_lock(&order);
    ssize_t done = REAL(write)(fd, data, len);
    if (done > 0)
        entry('W', number(fd), (uint64_t)(lseek(fd, 0, SEEK_CUR) - done), NULL, data, (size_t)done);
    pthread_mutex_unlock(&order);
    return done;
}

/* Ways to write that no part of the executable goes: whoever adds one adds it here. */
#define NEVER(name)                                                                                \
    if (is_watched(fd))                                                                            \
        abort();
ssize_t writev(int fd, const struct iovec *parts, int count) {
    NEVER(writev)
    return REAL(writev)(fd, parts, count);
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
    NEVER(pwritev)
    return REAL(pwritev)(fd, parts, count, at);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) {
    NEVER(pwritev64)
    return REAL(pwritev64)(fd, parts, count, at);
}

#define TRUNCATE(name, OFF)                                                                        \
    int name(int fd, OFF len) {                                                                    \
        if (!is_watched(fd))                                                                       \
            return REAL(name)(fd, len);                                                            \
        pthread_mutex_lock(&order);                                                                \
        int failed = REAL(name)(fd, len);                                                          \
        if (!failed)                                                                               \
            entry('T', number(fd), (uint64_t)len, NULL, NULL, 0);                                  \
        pthread_mutex_unlock(&order);                                                              \
        return failed;                                                                             \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

static uint64_t syncs;
#define SYNC(name)                                                                                 \
    int name(int fd) {                                                                             \
        if (!is_watched(fd))                                                                       \
            return REAL(name)(fd);                                                                 \
        pthread_mutex_lock(&order);                                                                \
        uint64_t file = number(fd), sync = ++syncs;                                                \
        entry('B', file, sync, NULL, NULL, 0);                                                     \
        pthread_mutex_unlock(&order);                                                              \
        int failed = REAL(name)(fd);                                                               \
        pthread_mutex_lock(&order);                                                                \
        if (!failed)                                                                               \
            entry('E', file, sync, NULL, NULL, 0);                                                 \
        pthread_mutex_unlock(&order);                                                              \
        return failed;                                                                             \
    }
SYNC(fsync)
SYNC(fdatasync)

int rename(const char *from, const char *to) {
    char whole[PATH_MAX], target[PATH_MAX];
    if (!below(from, whole) || !below(to, target))
        return REAL(rename)(from, to);
    pthread_mutex_lock(&order);
    int failed = REAL(rename)(from, to);
    if (!failed)
        entry('R', 0, 0, whole, target, strlen(target));
    pthread_mutex_unlock(&order);
    return failed;
}

int unlink(const char *path) {
    char whole[PATH_MAX];
    if (!below(path, whole))
        return REAL(unlink)(path);
    pthread_mutex_lock(&order);
    int failed = REAL(unlink)(path);
    if (!failed)
        entry('U', 0, 0, whole, NULL, 0);
    pthread_mutex_unlock(&order);
    return failed;
}

int mkdir(const char *path, mode_t mode) {
    char whole[PATH_MAX];
    if (!below(path, whole))
        return REAL(mkdir)(path, mode);
    pthread_mutex_lock(&order);
    int failed = REAL(mkdir)(path, mode);
    if (!failed)
        entry('D', 0, 0, whole, NULL, 0);
    pthread_mutex_unlock(&order);
    return failed;
}

__attribute__((constructor)) static void begin(void) {
    const char *told = getenv("POWER_DIR"), *path = getenv("POWER_JOURNAL");
    if (!told || !path)
        return;
    snprintf(dir, sizeof dir, "%s", told);
    journal = REAL(open)(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (journal < 0)
        abort();
}
