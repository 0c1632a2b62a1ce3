/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * facts.c: what is quickly told of a domain
 *
 * From the picture, where the driver has one and it is certain; else read, each time anew.
 */

#include "config.h"

#include "driver/facts.h"

#include <string.h>

#include "driver/autostart.h"
#include "driver/driver-private.h"
#include "driver/look.h"
#include "driver/picture.h"
#include "driver/registry.h"

static void
facts_clear (gpointer data)
{
  StasisFacts *facts = data;
  g_clear_pointer (&facts->name, g_ref_string_release);
}

/* Nothing in it. */
GArray *
stasis_facts_new_list (void)
{
  GArray *list = g_array_new (FALSE, FALSE, sizeof (StasisFacts));
  g_array_set_clear_func (list, facts_clear);
  return list;
}

/* FALSE where it has gone meanwhile. */
static gboolean
read_facts (StasisDriver *self, StasisFacts *facts, StasisListFlags flags)
{
  g_autoptr (StasisStatus) status = NULL;
  facts->is_active = stasis_look (self, facts->name, &status, NULL) != STASIS_LOOK_OFF;
  facts->is_persistent = stasis_registry_has (self, facts->name);
  if (!facts->is_active && !facts->is_persistent)
    return FALSE;
  if (status != NULL)
    facts->id = status->id;
  g_autoptr (StasisDomain) domain
      = stasis_domain_new (self, facts->name, status != NULL ? status->uuid : NULL);
  stasis_uuid_parse (stasis_domain_get_uuid (domain), facts->uuid, NULL);
  if ((flags & (STASIS_LIST_AUTOSTART | STASIS_LIST_NO_AUTOSTART)) != 0)
    facts->is_autostart[STASIS_AUTOSTART_ALWAYS]
        = stasis_autostart_has (self->paths, STASIS_AUTOSTART_ALWAYS, facts->name);
  if ((flags & (STASIS_LIST_MANAGED_SAVE | STASIS_LIST_NO_MANAGED_SAVE)) != 0)
    {
      g_autofree char *managed = stasis_paths_managed_save (self->paths, facts->name);
      facts->has_managed_save = g_file_test (managed, G_FILE_TEST_EXISTS);
    }
  return TRUE;
}

static void
add_names (GArray *list, const GPtrArray *names, GHashTable *seen)
{
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);
      if (!g_hash_table_add (seen, (gpointer) name))
        continue;
      const StasisFacts facts = { .name = g_ref_string_new (name), .id = -1 };
      g_array_append_val (list, facts);
    }
}

/* Of all that has a run folder or a definition. */
static GArray *
list_names (StasisDriver *self, GError **error)
{
  g_autoptr (GPtrArray) running = stasis_registry_running_names (self, error);
  g_autoptr (GPtrArray) defined = running != NULL ? stasis_registry_names (self, error) : NULL;
  if (defined == NULL)
    return NULL;
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  GArray *list = stasis_facts_new_list ();
  add_names (list, running, seen);
  add_names (list, defined, seen);
  return list;
}

/* TRUE unless the group of two flags asks for the other one. */
static gboolean
passes (guint flags, guint yes, guint no, gboolean is)
{
  if ((flags & (yes | no)) == 0)
    return TRUE;
  return (flags & (is ? yes : no)) != 0;
}

static gboolean
is_listed (const StasisFacts *facts, guint flags)
{
  return passes (flags, STASIS_LIST_ACTIVE, STASIS_LIST_INACTIVE, facts->is_active)
         && passes (flags, STASIS_LIST_PERSISTENT, STASIS_LIST_TRANSIENT, facts->is_persistent)
         && passes (flags, STASIS_LIST_AUTOSTART, STASIS_LIST_NO_AUTOSTART,
                    facts->is_autostart[STASIS_AUTOSTART_ALWAYS] && facts->is_persistent)
         && passes (flags, STASIS_LIST_MANAGED_SAVE, STASIS_LIST_NO_MANAGED_SAVE,
                    facts->has_managed_save);
}

static int
compare (gconstpointer a, gconstpointer b)
{
  const StasisFacts *x = a;
  const StasisFacts *y = b;
  if ((x->id < 0) != (y->id < 0))
    return x->id < 0 ? 1 : -1;
  return x->id < 0 ? strcmp (x->name, y->name) : x->id - y->id;
}

/* By id, then by name. */
GArray *
stasis_facts_list (StasisDriver *self, StasisListFlags flags, GError **error)
{
  GArray *list = stasis_picture_list (self);
  if (list == NULL)
    list = list_names (self, error);
  if (list == NULL)
    return NULL;
  guint count = 0;
  for (guint i = 0; i < list->len; i++)
    {
      StasisFacts *facts = &g_array_index (list, StasisFacts, i);
      if ((!facts->is_certain && !read_facts (self, facts, flags)) || !is_listed (facts, flags))
        continue;
      const StasisFacts out = g_array_index (list, StasisFacts, count);
      g_array_index (list, StasisFacts, count++) = *facts;
      *facts = out; /* its name is released with it */
    }
  g_array_set_size (list, count);
  g_array_sort (list, compare);
  return list;
}
