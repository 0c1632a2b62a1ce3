/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reason.c: how a stream through ssh ended
 *
 * Whoever reads from the stream is in one thread, who knows why it ended is in another: the text is
 * set before the end of the stream can be read, and once only.
 */

#include "config.h"

#include "transport/reason.h"

struct _StasisSshReason
{
  gint count; /* (atomic) */
  GMutex lock;
  char *text; /* (owned) (nullable) (guarded by lock) */
};

/* For a target. */
StasisSshReason *
stasis_ssh_reason_new (void)
{
  StasisSshReason *self = g_new0 (StasisSshReason, 1);
  self->count = 1;
  g_mutex_init (&self->lock);
  return self;
}

/* One more who holds it. */
StasisSshReason *
stasis_ssh_reason_ref (StasisSshReason *self)
{
  g_atomic_int_inc (&self->count);
  return self;
}

/* One less.  NULL is fine. */
void
stasis_ssh_reason_unref (StasisSshReason *self)
{
  if (self == NULL || !g_atomic_int_dec_and_test (&self->count))
    return;
  g_mutex_clear (&self->lock);
  g_free (self->text);
  g_free (self);
}

/* The first one counts. */
void
stasis_ssh_reason_set_take (StasisSshReason *self, char *text_take)
{
  g_autofree char *text = text_take;
  if (self == NULL)
    return;
  g_mutex_lock (&self->lock);
  if (self->text == NULL)
    self->text = g_steal_pointer (&text);
  g_mutex_unlock (&self->lock);
}

/* Why the stream ended. */
char *
stasis_ssh_reason_get (StasisSshReason *self)
{
  g_mutex_lock (&self->lock);
  char *text = g_strdup (self->text);
  g_mutex_unlock (&self->lock);
  return text;
}
