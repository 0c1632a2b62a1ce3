/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-cookie-parse.c: reading what the other host of a migration tells
 *
 * migrate-cookie.c says what it is made of.
 */

#include "config.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/migrate-cookie-private.h"
#include "driver/migrate-secret.h"
#include "driver/paths.h"
#include "image/facts.h"
#include "util/json-path.h"
#include "util/uuid.h"

#define STRING_MAX 4096u /* octets of all but definitions */
#define TARGET_MAX 32u
#define EXPORT_MAX 64u /* octets */

/* Before anything is allocated for them. */
static gboolean
check_shape (const char *text, gsize size, GError **error)
{
  guint depth = 0;
  guint values = 0;
  gboolean is_string = FALSE;
  for (gsize i = 0; i < size; i++)
    {
      const char c = text[i];
      if (is_string && c == '\\')
        i++;
      else if (c == '"')
        is_string = !is_string;
      else if (!is_string && (c == '{' || c == '['))
        depth++;
      else if (!is_string && (c == '}' || c == ']') && depth > 0)
        depth--;
      values += !is_string && (c == '{' || c == '[' || c == ',');
      if (depth > STASIS_MIGRATE_COOKIE_DEPTH_MAX)
        return stasis_cookie_throw (error, _ ("it is nested too deeply"));
      if (values > STASIS_MIGRATE_COOKIE_VALUES_MAX)
        return stasis_cookie_throw (error, _ ("it has too many values"));
    }
  return TRUE;
}

static gboolean read_members (const StasisJson *object, gpointer base,
                              const StasisCookieMember *members, GError **error);

static gboolean
read_string (const StasisJson *json, const StasisCookieMember *m, char **out, GError **error)
{
  const char *text = stasis_json_string (json, NULL);
  if (text == NULL)
    return stasis_cookie_throw (error, _ ("member '%s' is no string"), m->key);
  if (m->kind != STASIS_COOKIE_TEXT && strlen (text) > STRING_MAX)
    return stasis_cookie_throw (error, _ ("member '%s' is too long"), m->key);
  *out = g_strdup (text);
  return TRUE;
}

static gboolean
read_path (const StasisJson *object, const StasisCookieMember *m, char **out, GError **error)
{
  *out = stasis_json_dup_path (object, m->key);
  return (*out != NULL && **out == '/' && strlen (*out) <= STRING_MAX)
         || stasis_cookie_throw (error, _ ("member '%s' is no absolute path"), m->key);
}

static gboolean
check_array (const StasisJson *json, const StasisCookieMember *m, GError **error)
{
  if (stasis_json_kind (json) != STASIS_JSON_ARRAY)
    return stasis_cookie_throw (error, _ ("member '%s' is no list"), m->key);
  return stasis_json_array_length (json) <= STASIS_MIGRATE_COOKIE_LIST_MAX
         || stasis_cookie_throw (error, _ ("member '%s' is too long"), m->key);
}

static gboolean
read_strings (const StasisJson *json, const StasisCookieMember *m, GStrv *out, GError **error)
{
  if (!check_array (json, m, error))
    return FALSE;
  g_autoptr (GStrvBuilder) words = g_strv_builder_new ();
  for (guint i = 0; i < stasis_json_array_length (json); i++)
    {
      g_autofree char *word = NULL;
      if (!read_string (stasis_json_array_get (json, i), m, &word, error))
        return FALSE;
      g_strv_builder_add (words, word);
    }
  *out = g_strv_builder_end (words);
  return TRUE;
}

static gboolean
read_list (const StasisJson *json, const StasisCookieMember *m, GPtrArray *list, GError **error)
{
  if (!check_array (json, m, error))
    return FALSE;
  for (guint i = 0; i < stasis_json_array_length (json); i++)
    {
      gpointer element = g_malloc0 (m->size);
      g_ptr_array_add (list, element);
      if (!read_members (stasis_json_array_get (json, i), element, m->members, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
read_object (const StasisJson *json, const StasisCookieMember *m, StasisJson **out, GError **error)
{
  if (stasis_json_kind (json) != STASIS_JSON_OBJECT)
    return stasis_cookie_throw (error, _ ("member '%s' is no object"), m->key);
  *out = stasis_json_ref ((StasisJson *) json);
  return TRUE;
}

static gboolean
read_number (const StasisJson *object, const StasisCookieMember *m, gpointer at, GError **error)
{
  g_autoptr (GError) local = NULL;
  if (m->kind == STASIS_COOKIE_UINT  ? stasis_json_need_uint (object, m->key, at, &local)
      : m->kind == STASIS_COOKIE_INT ? stasis_json_need_int (object, m->key, at, &local)
                                     : stasis_json_need_boolean (object, m->key, at, &local))
    return TRUE;
  return stasis_cookie_throw (error, "%s", local->message);
}

static gboolean
read_member (const StasisJson *object, gpointer base, const StasisCookieMember *m, GError **error)
{
  const StasisJson *json = stasis_json_get (object, m->key);
  gpointer at = G_STRUCT_MEMBER_P (base, m->offset);
  if (json == NULL)
    return !m->is_needed || stasis_cookie_throw (error, _ ("member '%s' is missing"), m->key);
  switch (m->kind)
    {
    case STASIS_COOKIE_STRING:
    case STASIS_COOKIE_TEXT:
      return read_string (json, m, at, error);
    case STASIS_COOKIE_PATH:
      return read_path (object, m, at, error);
    case STASIS_COOKIE_STRINGS:
      return read_strings (json, m, at, error);
    case STASIS_COOKIE_OBJECT:
      return read_object (json, m, at, error);
    case STASIS_COOKIE_SECTION:
      return read_members (json, base, m->members, error);
    case STASIS_COOKIE_LIST:
      return read_list (json, m, *(GPtrArray **) at, error);
    default:
      return read_number (object, m, at, error);
    }
}

static gboolean
read_members (const StasisJson *object, gpointer base, const StasisCookieMember *members,
              GError **error)
{
  for (const StasisCookieMember *m = members; m->key != NULL; m++)
    if (!read_member (object, base, m, error))
      return FALSE;
  return TRUE;
}

static gboolean
is_token (const char *text)
{
  return text != NULL && strlen (text) == STASIS_MIGRATE_TOKEN_DIGITS
         && strspn (text, "0123456789abcdef") == STASIS_MIGRATE_TOKEN_DIGITS;
}

static gboolean
check_target (const char *target, GError **error)
{
  for (const char *c = target; *c != '\0'; c++)
    if (!g_ascii_isalnum (*c))
      return stasis_cookie_throw (error, _ ("a disk has an impossible target"));
  return (*target != '\0' && strlen (target) <= TARGET_MAX)
         || stasis_cookie_throw (error, _ ("a disk has an impossible target"));
}

/* What the tables cannot say. */
static gboolean
check_begin (const StasisMigrateBegin *begin, GError **error)
{
  g_autoptr (GError) local = NULL;
  guint8 uuid[STASIS_UUID_SIZE];
  if (!stasis_paths_check_name (begin->name, &local)
      || !stasis_uuid_parse (begin->uuid, uuid, &local)
      || !stasis_image_facts_check (begin->qemu, &local))
    return stasis_cookie_throw (error, "%s", local->message);
  if (begin->memory_kib == 0 || begin->memory_kib > G_MAXINT64 / 1024)
    return stasis_cookie_throw (error, _ ("the guest's memory has an impossible size"));
  for (guint i = 0; i < begin->disks->len; i++)
    {
      const StasisMigrateDisk *disk = g_ptr_array_index (begin->disks, i);
      if (!check_target (disk->target, error))
        return FALSE;
      if (disk->backing != NULL && disk->backing_format == NULL)
        return stasis_cookie_throw (error, _ ("what disk '%s' rests on has no format"),
                                    disk->target);
      if (disk->size > G_MAXINT64)
        return stasis_cookie_throw (error, _ ("disk '%s' has an impossible size"), disk->target);
    }
  return TRUE;
}

static gboolean
check_prepare (const StasisMigratePrepare *prepare, GError **error)
{
  if (prepare->secret != NULL && !stasis_migrate_secret_is_valid (prepare->secret))
    return stasis_cookie_throw (error, _ ("member '%s' is missing or impossible"), "secret");
  for (guint i = 0; i < prepare->exports->len; i++)
    {
      const StasisMigrateExport *export = g_ptr_array_index (prepare->exports, i);
      const gsize length = strlen (export->name);
      if (!check_target (export->target, error))
        return FALSE;
      if (length == 0 || length > EXPORT_MAX)
        return stasis_cookie_throw (error, _ ("an export has an impossible name"));
    }
  return TRUE;
}

/* "begin", or "begin.devices". */
static gboolean
is_known (const char *name)
{
  if (g_str_equal (name, "token"))
    return TRUE;
  for (gsize i = 0; i < STASIS_COOKIE_SECTIONS; i++)
    {
      const char *rest = g_str_has_prefix (name, stasis_cookie_sections[i].key)
                             ? name + strlen (stasis_cookie_sections[i].key)
                             : NULL;
      if (rest != NULL && *rest == '\0')
        return TRUE;
      for (const StasisCookieMember *m = stasis_cookie_sections[i].members;
           rest != NULL && *rest == '.' && m->key; m++)
        if (g_str_equal (m->key, rest + 1))
          return TRUE;
    }
  return FALSE;
}

static gboolean
check_must (const StasisJson *json, GError **error)
{
  static const StasisCookieMember member = { "must", STASIS_COOKIE_STRINGS, FALSE, 0, NULL, 0 };
  const StasisJson *must = stasis_json_get (json, "must");
  g_auto (GStrv) names = NULL;
  if (must == NULL)
    return TRUE;
  if (!read_strings (must, &member, &names, error))
    return FALSE;
  for (gsize i = 0; names[i] != NULL; i++)
    if (!is_known (names[i]))
      {
        g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                     _ ("the other host's stasis is newer: its migration cookie has '%s', which "
                        "has to be understood and is not known here"),
                     names[i]);
        return FALSE;
      }
  return TRUE;
}

static gboolean
check_version (const StasisJson *json, GError **error)
{
  if (stasis_json_get (json, STASIS_COOKIE_VERSION) == NULL)
    return stasis_cookie_throw (error, _ ("the other host's is none of stasis's"));
  const guint64 version = stasis_json_uint (stasis_json_get (json, STASIS_COOKIE_VERSION), 0);
  if (version == STASIS_MIGRATE_COOKIE_VERSION)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("the migration cookie is of version %1$" G_GINT64_MODIFIER
                  "u, and version %2$u is known here"),
               version, STASIS_MIGRATE_COOKIE_VERSION);
  return FALSE;
}

static gboolean
check_octets (const char *text, gsize size, GError **error)
{
  if (size == 0)
    return stasis_cookie_throw (error, _ ("there is none; is the other host served by stasisd?"));
  if (size > STASIS_MIGRATE_COOKIE_SIZE_MAX)
    return stasis_cookie_throw (error, _ ("it is of %1$zu octets, and %2$u are the limit"), size,
                                STASIS_MIGRATE_COOKIE_SIZE_MAX);
  gsize skip = 0;
  while (skip < size && g_ascii_isspace (text[skip]))
    skip++;
  if (skip < size && text[skip] == '<')
    return stasis_cookie_throw (
        error, _ ("it is libvirt's; a guest migrates between two hosts that are both "
                  "served by stasisd"));
  return check_shape (text, size, error);
}

static gboolean
read_sections (StasisMigrateCookie *cookie, const StasisJson *json, GError **error)
{
  for (guint i = 0; i < STASIS_COOKIE_SECTIONS; i++)
    {
      const StasisJson *section = stasis_json_get (json, stasis_cookie_sections[i].key);
      if (section == NULL)
        continue;
      if (stasis_json_kind (section) != STASIS_JSON_OBJECT)
        return stasis_cookie_throw (error, _ ("member '%s' is no object"),
                                    stasis_cookie_sections[i].key);
      if (!read_members (section, stasis_cookie_add_section (cookie, i),
                         stasis_cookie_sections[i].members, error))
        return FALSE;
    }
  return (cookie->begin == NULL || check_begin (cookie->begin, error))
         && (cookie->prepare == NULL || check_prepare (cookie->prepare, error));
}

/* From the other one. */
StasisMigrateCookie *
stasis_migrate_cookie_parse (const void *octets, gsize size, GError **error)
{
  if (!check_octets (octets, size, error))
    return NULL;
  g_autoptr (GError) local = NULL;
  g_autoptr (StasisJson) json = stasis_json_parse (octets, (gssize) size, &local);
  if (json == NULL)
    {
      stasis_cookie_throw (error, _ ("the other host's is none of stasis's: %s"), local->message);
      return NULL;
    }
  if (!check_version (json, error) || !check_must (json, error))
    return NULL;
  const char *token = stasis_json_string (stasis_json_get (json, "token"), NULL);
  if (!is_token (token))
    {
      stasis_cookie_throw (error, _ ("member '%s' is missing or impossible"), "token");
      return NULL;
    }
  g_autoptr (StasisMigrateCookie) cookie = stasis_migrate_cookie_new (token);
  return read_sections (cookie, json, error) ? g_steal_pointer (&cookie) : NULL;
}

/* Is it of this migration? */
gboolean
stasis_migrate_cookie_check_token (const StasisMigrateCookie *cookie, const char *token,
                                   GError **error)
{
  return g_str_equal (cookie->token, token)
         || stasis_cookie_throw (error, _ ("it is of another migration of this domain"));
}
