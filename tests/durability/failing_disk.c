/* A disk that fails, for one process: loaded before the C library, it takes the place of its syncs. Once the file that
 * FAILING_DISK_TRIGGER names exists, files below the folder FAILING_DISK_BELOW cannot be synced any more (an input/output
 * error) if the trigger says "sync". If it says "write" a sync is still good, and no write that follows it is: the file is
 * only open for reading from then on. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum fault { NONE, SYNC, WRITE };

static enum fault fault(void) {
    const char *trigger = getenv("FAILING_DISK_TRIGGER");
    if (trigger == NULL)
        return NONE;
    int file = (int)syscall(SYS_openat, AT_FDCWD, trigger, O_RDONLY | O_CLOEXEC, 0);
    if (file < 0)
        return NONE;
    char kind = 0;
    ssize_t length = read(file, &kind, 1);
    close(file);
    if (length != 1)
        return NONE;
    return kind == 's' ? SYNC : kind == 'w' ? WRITE : NONE;
}

static int path_of(int file, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, size - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    const char *below = getenv("FAILING_DISK_BELOW");
    return below != NULL && strncmp(path, below, strlen(below)) == 0;
}

static int sync_by(long call, int file) {
    char path[PATH_MAX];
    enum fault now = fault();
    if (now == NONE || !path_of(file, path, sizeof path))
        return (int)syscall(call, file);
    if (now == SYNC) {
        errno = EIO;
        return -1;
    }
    int synced = (int)syscall(call, file);
    int unwritable = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (unwritable >= 0) {
        dup3(unwritable, file, O_CLOEXEC);
        close(unwritable);
    }
    return synced;
}

int fdatasync(int file) { return sync_by(SYS_fdatasync, file); }

int fsync(int file) { return sync_by(SYS_fsync, file); }
