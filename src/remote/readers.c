/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * readers.c: what the clients that may only read have of the server, all together
 */

#include "config.h"

#include "remote/readers.h"

#define KEPT_MAX (128u * 1024 * 1024) /* octets */

typedef struct
{
  guint n_calls[2]; /* by pool: the quick ones are 1 */
  gsize kept;       /* octets */
} Share;

struct _StasisReaders
{
  GMutex lock;
  GHashTable *users; /* uid -> Share: those who have anything */
  Share all;
  gboolean is_waited_for; /* a call had to wait since one last ended */
};

StasisReaders *
stasis_readers_new (void)
{
  StasisReaders *self = g_new0 (StasisReaders, 1);
  g_mutex_init (&self->lock);
  self->users = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  return self;
}

void
stasis_readers_free (StasisReaders *self)
{
  g_hash_table_unref (self->users);
  g_mutex_clear (&self->lock);
  g_free (self);
}

/* With the lock held. */
static Share *
take_share (StasisReaders *self, uid_t uid)
{
  Share *share = g_hash_table_lookup (self->users, GUINT_TO_POINTER (uid));
  if (share == NULL)
    {
      share = g_new0 (Share, 1);
      g_hash_table_insert (self->users, GUINT_TO_POINTER (uid), share);
    }
  return share;
}

/* With the lock held. */
static void
drop_if_empty (StasisReaders *self, uid_t uid, const Share *share)
{
  if (share->n_calls[0] == 0 && share->n_calls[1] == 0 && share->kept == 0)
    g_hash_table_remove (self->users, GUINT_TO_POINTER (uid));
}

/* One more, or it has to wait. */
gboolean
stasis_readers_begin (StasisReaders *self, uid_t uid, gboolean is_quick, guint threads)
{
  const guint pool = is_quick ? 1 : 0;
  const guint max = MAX (threads / 2, 1);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  Share *share = take_share (self, uid);
  if (self->all.n_calls[pool] >= max || share->n_calls[pool] >= MAX (max / 2, 1))
    {
      drop_if_empty (self, uid, share);
      self->is_waited_for = TRUE;
      return FALSE;
    }
  share->n_calls[pool]++;
  self->all.n_calls[pool]++;
  return TRUE;
}

/* One less. */
gboolean
stasis_readers_end (StasisReaders *self, uid_t uid, gboolean is_quick)
{
  const guint pool = is_quick ? 1 : 0;
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  Share *share = take_share (self, uid);
  share->n_calls[pool]--;
  self->all.n_calls[pool]--;
  drop_if_empty (self, uid, share);
  const gboolean is_waited_for = self->is_waited_for;
  self->is_waited_for = FALSE;
  return is_waited_for;
}

/* In both pools. */
guint
stasis_readers_n_calls (StasisReaders *self, uid_t uid)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  const Share *share = g_hash_table_lookup (self->users, GUINT_TO_POINTER (uid));
  return share != NULL ? share->n_calls[0] + share->n_calls[1] : 0;
}

/* More or less than before. */
void
stasis_readers_keep (StasisReaders *self, uid_t uid, gsize before, gsize now)
{
  if (before == now)
    return;
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  Share *share = take_share (self, uid);
  share->kept += now - before;
  self->all.kept += now - before;
  drop_if_empty (self, uid, share);
}

/* And whose most of it is. */
gboolean
stasis_readers_are_too_much (StasisReaders *self, uid_t *out_uid)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  gsize most = 0;
  gpointer uid, share;
  GHashTableIter iter;
  g_hash_table_iter_init (&iter, self->users);
  while (self->all.kept > KEPT_MAX && g_hash_table_iter_next (&iter, &uid, &share))
    if (((Share *) share)->kept > most)
      {
        most = ((Share *) share)->kept;
        *out_uid = GPOINTER_TO_UINT (uid);
      }
  return most > 0;
}
