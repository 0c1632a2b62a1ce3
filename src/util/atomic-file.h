/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * atomic-file.h: a file that is complete under its name, or not there
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct _StasisAtomicFile StasisAtomicFile;

/* Which file it is, whatever its name. */
typedef struct
{
  guint64 device;
  guint64 inode; /* 0: there is none */
} StasisFileId;

gboolean stasis_file_id_of_fd (int fd, StasisFileId *out_id, GError **error);

/* Begin a new file that is to replace @path.  Unnamed (O_TMPFILE) where the file system can,
 * a hidden temporary name in the same folder otherwise.  Opened read-write.  Only links of root
 * and our own are followed to the folder, and the file does not leave that. */
StasisAtomicFile *stasis_atomic_file_begin (const char *path, mode_t mode,
                                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same in @folder (borrowed), of which @path is to tell the way, for a caller who has looked at
 * the target: only the file that was @seen is replaced, or nothing where there was none. */
StasisAtomicFile *stasis_atomic_file_begin_in (int folder, const char *path,
                                               const StasisFileId *seen, mode_t mode,
                                               GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The descriptor (borrowed); good until commit or free. */
int stasis_atomic_file_fd (const StasisAtomicFile *file);

/* The temporary name (borrowed) that it has, or will have for a moment before the rename: what a
 * journal has to clean up. */
const char *stasis_atomic_file_temp_path (const StasisAtomicFile *file);

/* Give the file that name, if it has not got it yet; the last step that can fail for want of
 * space or rights before the rename. */
gboolean stasis_atomic_file_link (StasisAtomicFile *file, GError **error);

/* fsync, link, rename over the target, fsync the folder.  Where this returns FALSE and
 * *@out_renamed is TRUE, the file has its name but the folder could not be synced.  A file or
 * folder that was moved or replaced meanwhile is a failure. */
gboolean stasis_atomic_file_commit (StasisAtomicFile *file, gboolean *out_renamed, GError **error);

/* The same for a file whose octets the caller has synced already: another fsync would cost a
 * flush of the disk. */
gboolean stasis_atomic_file_rename (StasisAtomicFile *file, gboolean *out_renamed, GError **error);

/* What another process has begun: the file @own under the name @temp_path (of link) is renamed to
 * @path, of which @seen says as in begin_in.  On failure it stays. */
gboolean stasis_atomic_file_finish (const char *temp_path, const char *path,
                                    const StasisFileId *own, const StasisFileId *seen,
                                    GError **error);

/* What was not committed shall not exist under any name, or be empty. */
void stasis_atomic_file_drop (StasisAtomicFile *file);

/* The same, and the end of @file.  NULL is fine. */
void stasis_atomic_file_free (StasisAtomicFile *file);

/* All of it for a small text. */
gboolean stasis_atomic_file_write (const char *path, const void *octets, gsize size, mode_t mode,
                                   GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisAtomicFile, stasis_atomic_file_free)

G_END_DECLS
