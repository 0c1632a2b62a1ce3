/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * schema-compare.c: name every difference between two structs that the guest can see
 */

#include "config.h"

#include "conf/schema.h"

#include <glib/gi18n-lib.h>
#include <inttypes.h>

#include "conf/domain-def.h"

#define DIFFERENCES_MAX 1000u /* a message, not a book */

static void
report (GPtrArray *differences, const char *place, const char *a, const char *b)
{
  if (differences->len >= DIFFERENCES_MAX)
    return;

  const char *nothing = _ ("nothing");
  g_ptr_array_add (differences, g_strdup_printf ("%s: %s%s%s -> %s%s%s", place,
                                                 a != NULL ? "'" : "", a != NULL ? a : nothing,
                                                 a != NULL ? "'" : "", b != NULL ? "'" : "",
                                                 b != NULL ? b : nothing, b != NULL ? "'" : ""));
}

/* "/domain/os" and "loader@type" are "/domain/os/loader/@type". */
static char *
join (const char *base, const char *path)
{
  if (*path == '\0')
    return g_strdup (base);
  const char *at = strchr (path, '@');
  if (at == NULL)
    return g_strdup_printf ("%s/%s", base, path);
  return g_strdup_printf ("%s%s%.*s/@%s", base, at > path ? "/" : "", (int) (at - path), path,
                          at + 1);
}

static char *
value_text (const StasisField *field, gconstpointer item)
{
  gconstpointer at = stasis_field_at (field, item);

  switch (field->kind)
    {
    case STASIS_FIELD_STRING:
    case STASIS_FIELD_XML:
      return g_strdup (*(char *const *) at);
    case STASIS_FIELD_ENUM:
      return *(const int *) at > 0 ? g_strdup (field->names[*(const int *) at]) : NULL;
    case STASIS_FIELD_FLAG:
      return *(const gboolean *) at ? g_strdup (_ ("present")) : NULL;
    default:
      {
        const gint64 value = *(const gint64 *) at;
        if (value == STASIS_UNSET)
          return NULL;
        if (field->hex > 0)
          return g_strdup_printf ("0x%0*" PRIx64, (int) field->hex, (guint64) value);
        return g_strdup_printf ("%" PRId64 "%s", value,
                                field->kind == STASIS_FIELD_SIZE ? " KiB" : "");
      }
    }
}

static void
compare_lists (const StasisField *field, const GPtrArray *a, const GPtrArray *b, const char *place,
               GPtrArray *differences)
{
  for (guint i = 0; i < MAX (a->len, b->len); i++)
    {
      g_autofree char *entry = g_strdup_printf ("%s[%u]", place, i + 1);
      if (i >= a->len)
        report (differences, entry, NULL, _ ("present"));
      else if (i >= b->len)
        report (differences, entry, _ ("present"), NULL);
      else
        stasis_schema_compare (field->schema, a->pdata[i], b->pdata[i], entry, differences);
    }
}

static void
compare_values (const StasisField *field, gconstpointer a, gconstpointer b, const char *place,
                GPtrArray *differences)
{
  g_autofree char *before = stasis_field_applies (field, a) ? value_text (field, a) : NULL;
  g_autofree char *after = stasis_field_applies (field, b) ? value_text (field, b) : NULL;
  if (g_strcmp0 (before, after) != 0)
    report (differences, place, before, after);
}

void
stasis_schema_compare (const StasisSchema *schema, gconstpointer a, gconstpointer b,
                       const char *root, GPtrArray *differences)
{
  for (guint i = 0; i < schema->n_fields; i++)
    {
      const StasisField *field = &schema->fields[i];
      const guint unseen = STASIS_FIELD_HOST | STASIS_FIELD_RUNTIME | STASIS_FIELD_ALIAS;
      if ((field->flags & unseen) != 0)
        continue;

      g_autofree char *place = join (root, field->path);
      gconstpointer at_a = stasis_field_at (field, a);
      gconstpointer at_b = stasis_field_at (field, b);
      if (field->kind == STASIS_FIELD_STRUCT)
        stasis_schema_compare (field->schema, at_a, at_b, place, differences);
      else if (field->kind == STASIS_FIELD_LIST)
        compare_lists (field, *(GPtrArray *const *) at_a, *(GPtrArray *const *) at_b, place,
                       differences);
      else
        compare_values (field, a, b, place, differences);
    }
}
