/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * atomic-file.h: a file that is complete under its name, or not there
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct _StasisAtomicFile StasisAtomicFile;

/* Begin a new file that is to replace @path.  Unnamed (O_TMPFILE) where the file system can,
 * a hidden temporary name in the same folder otherwise.  Opened read-write. */
StasisAtomicFile *stasis_atomic_file_begin (const char *path, mode_t mode,
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
 * *@out_renamed is TRUE, the file has its name but the folder could not be synced. */
gboolean stasis_atomic_file_commit (StasisAtomicFile *file, gboolean *out_renamed, GError **error);

/* The same for a file whose octets the caller has synced already: another fsync would cost a
 * flush of the disk. */
gboolean stasis_atomic_file_rename (StasisAtomicFile *file, gboolean *out_renamed, GError **error);

/* Drop the file unless it was committed.  NULL is fine. */
void stasis_atomic_file_free (StasisAtomicFile *file);

/* All of it for a small text. */
gboolean stasis_atomic_file_write (const char *path, const void *octets, gsize size, mode_t mode,
                                   GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisAtomicFile, stasis_atomic_file_free)

G_END_DECLS
