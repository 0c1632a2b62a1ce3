/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-cookie.c: what source and destination of a migration tell each other
 *
 * Theory of operation
 *
 * libvirt's clients carry octets from one host to the other without looking at them.  Ours are one
 * JSON object:
 *
 *   { "stasis-migration": 1, "token": "32 digits", "must": ["begin.devices"],
 *     "begin": { ... }, "prepare": { ... }, "final": { ... } }
 *
 * Each section is a table of members here.  A reader ignores members that it does not know, so a
 * later version can say more; what must not be ignored is named under "must", and refused by a
 * reader who does not know it.  Another form of what is there already is another version.
 *
 * The other host is not trusted to be sane: how large, how deep and of how many values a cookie is
 * is looked at before anything is made of it, and every list and string has a limit.
 */

#include "config.h"

#include "driver/migrate-cookie.h"

#include <sys/random.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/migrate-cookie-private.h"
#include "util/json-path.h"

#define AT(type, field) G_STRUCT_OFFSET (type, field)

#define MEMBER(type, key_name, kind_of, needed, field) \
  { \
    .key = key_name, .kind = STASIS_COOKIE_##kind_of, .is_needed = needed, \
    .offset = AT (type, field) \
  }

#define HOST(type, host) \
  { \
    MEMBER (type, "name", STRING, TRUE, host.name), \
        MEMBER (type, "uuid", STRING, FALSE, host.uuid), \
        MEMBER (type, "boot-id", STRING, FALSE, host.boot_id), \
        MEMBER (type, "state", STRING, FALSE, host.state), { 0 }, \
  }

static const StasisCookieMember source_members[] = HOST (StasisMigrateBegin, source);
static const StasisCookieMember dest_members[] = HOST (StasisMigratePrepare, dest);

#define DISK(key, kind, needed, field) MEMBER (StasisMigrateDisk, key, kind, needed, field)

static const StasisCookieMember disk_members[] = {
  DISK ("target", STRING, TRUE, target),
  DISK ("path", PATH, TRUE, path),
  DISK ("format", STRING, TRUE, format),
  DISK ("size", UINT, FALSE, size),
  DISK ("writable", BOOLEAN, TRUE, is_writable),
  DISK ("copied", BOOLEAN, TRUE, is_copied),
  DISK ("backing", PATH, FALSE, backing),
  DISK ("backing-format", STRING, FALSE, backing_format),
  DISK ("fs-type", STRING, FALSE, fs_type),
  DISK ("fs-id", STRING, FALSE, fs_id),
  DISK ("inode", UINT, FALSE, inode),
  { 0 },
};

static const StasisCookieMember export_members[] = {
  MEMBER (StasisMigrateExport, "target", STRING, TRUE, target),
  MEMBER (StasisMigrateExport, "name", STRING, TRUE, name),
  { 0 },
};

#define BEGIN(key, kind, needed, field) MEMBER (StasisMigrateBegin, key, kind, needed, field)

static const StasisCookieMember begin_members[] = {
  { .key = "source", .kind = STASIS_COOKIE_SECTION, .is_needed = TRUE, .members = source_members },
  BEGIN ("name", STRING, TRUE, name),
  BEGIN ("uuid", STRING, TRUE, uuid),
  BEGIN ("qemu", OBJECT, TRUE, qemu),
  BEGIN ("offers", STRINGS, FALSE, offers),
  BEGIN ("memory-kib", UINT, TRUE, memory_kib),
  { .key = "disks",
    .kind = STASIS_COOKIE_LIST,
    .is_needed = TRUE,
    .offset = AT (StasisMigrateBegin, disks),
    .members = disk_members,
    .size = sizeof (StasisMigrateDisk) },
  BEGIN ("devices", STRINGS, FALSE, devices),
  BEGIN ("persistent", TEXT, FALSE, persistent),
  BEGIN ("time-us", INT, FALSE, time_us),
  { 0 },
};

#define PREPARE(key, kind, needed, field) MEMBER (StasisMigratePrepare, key, kind, needed, field)

static const StasisCookieMember prepare_members[] = {
  { .key = "dest", .kind = STASIS_COOKIE_SECTION, .is_needed = TRUE, .members = dest_members },
  PREPARE ("capabilities", STRINGS, TRUE, capabilities),
  PREPARE ("addresses", STRINGS, FALSE, addresses),
  PREPARE ("door", STRING, FALSE, door),
  PREPARE ("secret", STRING, FALSE, secret),
  PREPARE ("nbd", STRING, FALSE, nbd),
  { .key = "exports",
    .kind = STASIS_COOKIE_LIST,
    .offset = AT (StasisMigratePrepare, exports),
    .members = export_members,
    .size = sizeof (StasisMigrateExport) },
  { 0 },
};

#define FINAL(key, kind, needed, field) MEMBER (StasisMigrateFinal, key, kind, needed, field)

static const StasisCookieMember final_members[] = {
  FINAL ("begun", BOOLEAN, TRUE, has_begun),
  FINAL ("source-run-us", INT, FALSE, source_run_us),
  FINAL ("source-end-us", INT, FALSE, source_end_us),
  FINAL ("dest-run-us", INT, FALSE, dest_run_us),
  FINAL ("dest-end-us", INT, FALSE, dest_end_us),
  FINAL ("stats", OBJECT, FALSE, stats),
  { 0 },
};

/* The sections of a cookie. */
const StasisCookieSection stasis_cookie_sections[STASIS_COOKIE_SECTIONS] = {
  { "begin", begin_members, AT (StasisMigrateCookie, begin), sizeof (StasisMigrateBegin) },
  { "prepare", prepare_members, AT (StasisMigrateCookie, prepare), sizeof (StasisMigratePrepare) },
  { "final", final_members, AT (StasisMigrateCookie, final), sizeof (StasisMigrateFinal) },
};

static gpointer
place (gpointer base, gsize offset)
{
  return G_STRUCT_MEMBER_P (base, offset);
}

static void
clear_members (gpointer base, const StasisCookieMember *members)
{
  for (const StasisCookieMember *m = members; m->key != NULL; m++)
    {
      gpointer at = place (base, m->offset);
      if (m->kind == STASIS_COOKIE_STRING || m->kind == STASIS_COOKIE_PATH
          || m->kind == STASIS_COOKIE_TEXT)
        g_clear_pointer ((char **) at, g_free);
      else if (m->kind == STASIS_COOKIE_STRINGS)
        g_clear_pointer ((GStrv *) at, g_strfreev);
      else if (m->kind == STASIS_COOKIE_OBJECT)
        g_clear_pointer ((StasisJson **) at, stasis_json_unref);
      else if (m->kind == STASIS_COOKIE_LIST)
        g_clear_pointer ((GPtrArray **) at, g_ptr_array_unref);
      else if (m->kind == STASIS_COOKIE_SECTION)
        clear_members (base, m->members);
    }
}

static void
free_disk (gpointer disk)
{
  clear_members (disk, disk_members);
  g_free (disk);
}

static void
free_export (gpointer export)
{
  clear_members (export, export_members);
  g_free (export);
}

static void
make_lists (gpointer base, const StasisCookieMember *members)
{
  for (const StasisCookieMember *m = members; m->key != NULL; m++)
    if (m->kind == STASIS_COOKIE_LIST)
      *(GPtrArray **) place (base, m->offset)
          = g_ptr_array_new_with_free_func (m->members == disk_members ? free_disk : free_export);
}

/* An empty one. */
gpointer
stasis_cookie_add_section (StasisMigrateCookie *cookie, guint which)
{
  gpointer *at = place (cookie, stasis_cookie_sections[which].offset);
  g_return_val_if_fail (*at == NULL, *at);
  *at = g_malloc0 (stasis_cookie_sections[which].size);
  make_lists (*at, stasis_cookie_sections[which].members);
  return *at;
}

StasisMigrateBegin *
stasis_migrate_cookie_add_begin (StasisMigrateCookie *cookie)
{
  return stasis_cookie_add_section (cookie, 0);
}

StasisMigratePrepare *
stasis_migrate_cookie_add_prepare (StasisMigrateCookie *cookie)
{
  return stasis_cookie_add_section (cookie, 1);
}

StasisMigrateFinal *
stasis_migrate_cookie_add_final (StasisMigrateCookie *cookie)
{
  return stasis_cookie_add_section (cookie, 2);
}

StasisMigrateDisk *
stasis_migrate_begin_add_disk (StasisMigrateBegin *begin)
{
  StasisMigrateDisk *disk = g_new0 (StasisMigrateDisk, 1);
  g_ptr_array_add (begin->disks, disk);
  return disk;
}

StasisMigrateExport *
stasis_migrate_prepare_add_export (StasisMigratePrepare *prepare)
{
  StasisMigrateExport *export = g_new0 (StasisMigrateExport, 1);
  g_ptr_array_add (prepare->exports, export);
  return export;
}

static char *
make_token (void)
{
  guint8 octets[STASIS_MIGRATE_TOKEN_DIGITS / 2];
  if (getrandom (octets, sizeof octets, 0) != (ssize_t) sizeof octets)
    g_error ("the kernel has no random numbers");
  GString *text = g_string_new (NULL);
  for (gsize i = 0; i < sizeof octets; i++)
    g_string_append_printf (text, "%02x", octets[i]);
  return g_string_free (text, FALSE);
}

/* Nothing in it yet. */
StasisMigrateCookie *
stasis_migrate_cookie_new (const char *token)
{
  StasisMigrateCookie *cookie = g_new0 (StasisMigrateCookie, 1);
  cookie->token = token != NULL ? g_strdup (token) : make_token ();
  return cookie;
}

/* NULL is fine. */
void
stasis_migrate_cookie_free (StasisMigrateCookie *cookie)
{
  if (cookie == NULL)
    return;

  for (gsize i = 0; i < STASIS_COOKIE_SECTIONS; i++)
    {
      gpointer *at = place (cookie, stasis_cookie_sections[i].offset);
      if (*at != NULL)
        clear_members (*at, stasis_cookie_sections[i].members);
      g_free (*at);
    }
  g_free (cookie->token);
  g_free (cookie);
}

static StasisJson *write_members (gpointer base, const StasisCookieMember *members);

static StasisJson *
write_strings (const char *const *words)
{
  StasisJson *array = stasis_json_new_array ();
  for (gsize i = 0; words[i] != NULL; i++)
    stasis_json_array_append_string (array, words[i]);
  return array;
}

static StasisJson *
write_list (const GPtrArray *list, const StasisCookieMember *members)
{
  StasisJson *array = stasis_json_new_array ();
  for (guint i = 0; i < list->len; i++)
    stasis_json_array_append (array, write_members (g_ptr_array_index (list, i), members));
  return array;
}

static void
write_member (StasisJson *object, gpointer base, const StasisCookieMember *m)
{
  gpointer at = place (base, m->offset);
  if (m->kind == STASIS_COOKIE_UINT)
    stasis_json_set_uint (object, m->key, *(guint64 *) at);
  else if (m->kind == STASIS_COOKIE_INT)
    stasis_json_set_int (object, m->key, *(gint64 *) at);
  else if (m->kind == STASIS_COOKIE_BOOLEAN)
    stasis_json_set_boolean (object, m->key, *(gboolean *) at);
  else if (m->kind == STASIS_COOKIE_SECTION)
    stasis_json_set (object, m->key, write_members (base, m->members));
  else if (*(gpointer *) at == NULL)
    return;
  else if (m->kind == STASIS_COOKIE_PATH)
    stasis_json_set_path (object, m->key, *(char **) at);
  else if (m->kind == STASIS_COOKIE_STRINGS)
    stasis_json_set (object, m->key, write_strings (*(const char *const **) at));
  else if (m->kind == STASIS_COOKIE_OBJECT)
    stasis_json_set (object, m->key, stasis_json_ref (*(StasisJson **) at));
  else if (m->kind == STASIS_COOKIE_LIST)
    stasis_json_set (object, m->key, write_list (*(GPtrArray **) at, m->members));
  else
    stasis_json_set_text (object, m->key, *(char **) at);
}

static StasisJson *
write_members (gpointer base, const StasisCookieMember *members)
{
  StasisJson *object = stasis_json_new_object ();
  for (const StasisCookieMember *m = members; m->key != NULL; m++)
    write_member (object, base, m);
  return object;
}

gboolean
stasis_cookie_throw (GError **error, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *message = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT, _ ("migration cookie: %s"),
               message);
  return FALSE;
}

/* For the other one. */
GBytes *
stasis_migrate_cookie_format (const StasisMigrateCookie *cookie, const char *const *must,
                              GError **error)
{
  g_autoptr (StasisJson) json = stasis_json_new_object ();
  stasis_json_set_uint (json, STASIS_COOKIE_VERSION, STASIS_MIGRATE_COOKIE_VERSION);
  stasis_json_set_string (json, "token", cookie->token);
  if (must != NULL)
    stasis_json_set (json, "must", write_strings (must));
  for (gsize i = 0; i < STASIS_COOKIE_SECTIONS; i++)
    {
      gpointer base = G_STRUCT_MEMBER (gpointer, cookie, stasis_cookie_sections[i].offset);
      if (base != NULL)
        stasis_json_set (json, stasis_cookie_sections[i].key,
                         write_members (base, stasis_cookie_sections[i].members));
    }
  char *text = stasis_json_to_string (json);
  const gsize size = strlen (text);
  g_autoptr (GBytes) octets = g_bytes_new_take (text, size);
  if (size > STASIS_MIGRATE_COOKIE_SIZE_MAX)
    {
      stasis_cookie_throw (error, _ ("it would be of %1$zu octets, and %2$u are the limit"), size,
                           STASIS_MIGRATE_COOKIE_SIZE_MAX);
      return NULL;
    }
  return g_steal_pointer (&octets);
}
