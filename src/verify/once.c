/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * once.c: one verification for all guests that use an image
 *
 * The supervisors of clones all want the same image verified, at the same time.  The first of their
 * programs has the lock RUN/verified/IMAGE.lock meanwhile, and leaves in RUN/verified/IMAGE when it
 * began, if the image was good.  To a guest that was started after that this says nothing: its
 * image is read again.  Who asks has the image open since before @since_us, so that no other file
 * has got its inode.
 */

#include "config.h"

#include "verify/once.h"

#include <string.h>

#include "util/atomic-file.h"

/* A monotonic clock tells nothing beyond the boot. */
static char *
boot_id (void)
{
  char *text = NULL;
  if (!g_file_get_contents ("/proc/sys/kernel/random/boot_id", &text, NULL, NULL))
    return g_strdup ("unknown");
  return g_strstrip (text);
}

static gboolean
is_good_since (const char *record, gint64 since_us)
{
  g_autofree char *boot = boot_id ();
  g_autofree char *text = NULL;
  if (!g_file_get_contents (record, &text, NULL, NULL))
    return FALSE;
  g_auto (GStrv) words = g_strsplit (text, " ", 2);
  return g_strv_length (words) == 2 && g_str_equal (words[0], boot)
         && g_ascii_strtoll (words[1], NULL, 10) >= since_us;
}

/* Wait for the others. */
gboolean
stasis_verify_once_begin (const char *record, gint64 since_us, StasisLock **out_lock)
{
  g_autofree char *path = g_strconcat (record, ".lock", NULL);
  g_autoptr (GError) error = NULL;
  *out_lock = stasis_lock_take (path, /* wait= */ TRUE, &error);
  if (*out_lock == NULL)
    g_debug ("%s", error->message);
  return is_good_since (record, since_us);
}

/* Tell them. */
void
stasis_verify_once_note (const char *record, gint64 began_us)
{
  g_autofree char *boot = boot_id ();
  g_autofree char *text = g_strdup_printf ("%s %" G_GINT64_FORMAT, boot, began_us);
  g_autoptr (GError) error = NULL;
  if (!stasis_atomic_file_write (record, text, strlen (text), 0600, &error))
    g_debug ("%s", error->message);
}
