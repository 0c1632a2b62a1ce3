/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lock.h: locks between processes, by open file description
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct _StasisLock StasisLock;

/* Take the exclusive lock of @path (created 0600 if missing).  With @wait FALSE a lock that
 * somebody holds is G_IO_ERROR_BUSY at once.  The kernel releases it when the process dies. */
StasisLock *stasis_lock_take (const char *path, gboolean wait,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* FALSE with an error where waiting for a lock has lost its sense. */
typedef gboolean (*StasisLockAsk) (gpointer data, GError **error);

/* Wait for the lock of @path, but at most @timeout_ms (then G_IO_ERROR_BUSY), until @cancellable
 * is cancelled, or until @ask, which is called each time that somebody else has it, says no. */
StasisLock *stasis_lock_take_within (const char *path, int timeout_ms, StasisLockAsk ask,
                                     gpointer data, GCancellable *cancellable,
                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* TRUE while somebody holds the lock of @path; looking does not disturb who takes it. */
gboolean stasis_lock_is_held (const char *path);

/* A shared lock on the file behind @fd, which is open for reading: nobody else gets an exclusive
 * one as long as any process has this descriptor, or one that was inherited from it.
 * G_IO_ERROR_BUSY where somebody has one already. */
gboolean stasis_lock_share (int fd, GError **error);

/* TRUE while anybody has a lock on the file behind @fd by another open file; looking does not
 * disturb. */
gboolean stasis_lock_is_shared (int fd);

/* Take it back, by any descriptor of that open file. */
gboolean stasis_lock_unshare (int fd, GError **error);

/* The process that has the lock of @path, for messages; 0 where nobody does or it is not known. */
pid_t stasis_lock_holder (const char *path);

/* Release.  NULL is fine.  The file stays: unlinking a lock file races with its next taker. */
void stasis_lock_release (StasisLock *lock);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisLock, stasis_lock_release)

G_END_DECLS
