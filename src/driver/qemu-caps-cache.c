/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu-caps-cache.c: probe each emulator once
 *
 * The cache is a JSON file whose name is a hash of the emulator's path; inside stands which file
 * was probed (path, size, time, inode).  It is only ever a hint: whatever is wrong with it, the
 * emulator is probed again, and if it cannot be written, nothing is lost but time.
 */

#include "config.h"

#include "driver/qemu-caps-private.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <glib/gi18n-lib.h>

#include "util/atomic-file.h"
#include "util/fd.h"
#include "util/hash.h"

#define CACHE_FORMAT   2
#define CACHE_SIZE_MAX (1024u * 1024u) /* octets; some 30 KiB are usual */

/* (transfer full): which file it is. */
static StasisJson *
make_key (const char *emulator, const struct stat *st)
{
  const gint64 mtime = (gint64) st->st_mtim.tv_sec * 1000000000 + (gint64) st->st_mtim.tv_nsec;

  StasisJson *key = stasis_json_new_object ();
  stasis_json_set_int (key, "format", CACHE_FORMAT);
  stasis_json_set_string (key, "emulator", emulator);
  stasis_json_set_uint (key, "size", (guint64) st->st_size);
  stasis_json_set_int (key, "mtime-ns", mtime);
  stasis_json_set_uint (key, "inode", st->st_ino);
  return key;
}

static char *
make_cache_path (const char *emulator, const char *cache_folder)
{
  const StasisHash hash = stasis_hash (emulator, strlen (emulator));
  GString *name = g_string_new ("qemu-");
  for (gsize i = 0; i < STASIS_HASH_SIZE; i++)
    g_string_append_printf (name, "%02x", hash.octets[i]);
  g_string_append (name, ".json");
  g_autofree char *base = g_string_free (name, FALSE);
  return g_build_filename (cache_folder, base, NULL);
}

/* (transfer full): the octets of a small regular file, or NULL. */
static char *
read_small (const char *path, gsize *out_size)
{
  stasis_autofd int fd = stasis_fd_open (path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, NULL);
  struct stat st;
  if (fd < 0 || fstat (fd, &st) < 0 || !S_ISREG (st.st_mode) || st.st_size <= 0
      || st.st_size > CACHE_SIZE_MAX)
    return NULL;

  const gsize size = (gsize) st.st_size;
  g_autofree char *text = g_malloc (size);
  if (!stasis_fd_read_exact (fd, text, size, NULL))
    return NULL;
  *out_size = size;
  return g_steal_pointer (&text);
}

/* What was found out about this very file, or NULL. */
static StasisQemuCaps *
load_cache (const char *path, const StasisJson *key)
{
  gsize size = 0;
  g_autofree char *text = read_small (path, &size);
  if (text == NULL)
    return NULL;

  g_autoptr (StasisJson) json = stasis_json_parse (text, (gssize) size, NULL);
  const StasisJson *its_key = json != NULL ? stasis_json_get (json, "key") : NULL;
  if (its_key == NULL)
    return NULL;
  g_autofree char *ours = stasis_json_to_string (key);
  g_autofree char *its = stasis_json_to_string (its_key);
  if (!g_str_equal (ours, its))
    return NULL;

  const StasisJson *caps = stasis_json_get (json, "capabilities");
  return caps != NULL ? stasis_qemu_caps_from_json (caps, NULL) : NULL;
}

static void
save_cache (const char *path, StasisJson *key, const StasisQemuCaps *caps)
{
  g_autoptr (StasisJson) json = stasis_json_new_object ();
  stasis_json_set (json, "key", stasis_json_ref (key));
  stasis_json_set (json, "capabilities", stasis_qemu_caps_to_json (caps));
  g_autofree char *text = stasis_json_to_string (json);

  g_autoptr (GError) error = NULL;
  if (!stasis_atomic_file_write (path, text, strlen (text), 0600, &error))
    g_debug ("capabilities of an emulator are not kept: %s", error->message);
}

/* From the cache or from the emulator itself; up to ten seconds in the second case. */
StasisQemuCaps *
stasis_qemu_caps_load (const char *emulator, const char *cache_folder, guint32 uid,
                       GCancellable *cancellable, GError **error)
{
  struct stat st;
  if (stat (emulator, &st) < 0)
    {
      stasis_throw_errno (error, _ ("cannot find the emulator '%1$s'"), emulator);
      return NULL;
    }

  g_autofree char *path = make_cache_path (emulator, cache_folder);
  g_autoptr (StasisJson) key = make_key (emulator, &st);
  StasisQemuCaps *caps = load_cache (path, key);
  if (caps != NULL)
    return caps;

  caps = stasis_qemu_caps_probe (emulator, uid, STASIS_QEMU_PROBE_MS, cancellable, error);
  if (caps != NULL)
    save_cache (path, key, caps);
  return caps;
}
