/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * registry-uuid.c: the UUID of a definition, without parsing it each time
 *
 * Definitions are our own text, whose UUID always stands there, and counts also where nothing else
 * of them makes sense any more.  A program that lives on asks for the same definitions again and
 * again.  What was read of a file holds as long as it is the very same file and was not changed,
 * which the kernel tells; one that was changed a moment ago may be changed once more within the
 * same tick of its clock, and is read again.
 */

#include "config.h"

#include <sys/stat.h>
#include <time.h>

#include "driver/registry.h"
#include "util/uuid.h"
#include "util/xml-peek.h"

#define SETTLED_S 2

typedef struct
{
  dev_t device;
  ino_t inode;
  off_t size;
  struct timespec modified;
  struct timespec changed;
  char *uuid; /* (owned) */
} Known;

static void
known_free (gpointer data)
{
  Known *known = data;
  g_free (known->uuid);
  g_free (known);
}

/* None yet. */
GHashTable *
stasis_registry_uuids_new (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, g_free, known_free);
}

static gboolean
is_same_time (const struct timespec *one, const struct timespec *other)
{
  return one->tv_sec == other->tv_sec && one->tv_nsec == other->tv_nsec;
}

static gboolean
is_same (const Known *known, const struct stat *st)
{
  return known->device == st->st_dev && known->inode == st->st_ino && known->size == st->st_size
         && is_same_time (&known->modified, &st->st_mtim)
         && is_same_time (&known->changed, &st->st_ctim);
}

static void
remember (StasisDriver *driver, const char *name, const struct stat *st, const char *uuid)
{
  if (time (NULL) - MAX (st->st_ctim.tv_sec, st->st_mtim.tv_sec) < SETTLED_S)
    return;
  Known *known = g_new (Known, 1);
  *known = (Known){
    .device = st->st_dev,
    .inode = st->st_ino,
    .size = st->st_size,
    .modified = st->st_mtim,
    .changed = st->st_ctim,
    .uuid = g_strdup (uuid),
  };
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&driver->uuids_lock);
  g_hash_table_replace (driver->uuids, g_strdup (name), known);
}

static char *
recall (StasisDriver *driver, const char *name, const struct stat *st)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&driver->uuids_lock);
  const Known *known = g_hash_table_lookup (driver->uuids, name);
  return known != NULL && is_same (known, st) ? g_strdup (known->uuid) : NULL;
}

/* The UUID of a persistent definition. */
char *
stasis_registry_get_uuid (StasisDriver *driver, const char *name)
{
  g_autofree char *path = stasis_paths_definition (driver->paths, name);
  struct stat st;
  if (stat (path, &st) < 0)
    return NULL;
  char *uuid = recall (driver, name, &st);
  if (uuid != NULL)
    return uuid;
  g_autofree char *xml = NULL;
  g_autofree char *text
      = g_file_get_contents (path, &xml, NULL, NULL) ? stasis_xml_peek (xml, "domain/uuid") : NULL;
  guint8 octets[STASIS_UUID_SIZE];
  if (text == NULL || !stasis_uuid_parse (text, octets, NULL))
    return NULL;
  uuid = stasis_uuid_format (octets);
  remember (driver, name, &st, uuid);
  return uuid;
}
