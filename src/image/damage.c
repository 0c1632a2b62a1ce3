/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * damage.c: collecting what a verification finds, from several threads
 */

#include "config.h"

#include "image/damage.h"

#include <glib/gi18n-lib.h>

#include "image/error.h"

static StasisImageFault *
damage_new (guint64 offset, guint64 length, char *what_take)
{
  StasisImageFault *damage = g_new0 (StasisImageFault, 1);
  damage->offset = offset;
  damage->length = length;
  damage->what = what_take;
  return damage;
}

/* NULL is fine. */
void
stasis_image_fault_free (StasisImageFault *damage)
{
  if (damage == NULL)
    return;

  g_free (damage->what);
  g_free (damage);
}

static void
free_damage (gpointer damage)
{
  stasis_image_fault_free (damage);
}

void
stasis_damage_list_init (StasisDamageList *list, gboolean first_only)
{
  *list = (StasisDamageList){ .first_only = first_only };
  g_mutex_init (&list->lock);
  list->damages = g_ptr_array_new_with_free_func (free_damage);
}

void
stasis_damage_list_clear (StasisDamageList *list)
{
  g_clear_pointer (&list->damages, g_ptr_array_unref);
  g_mutex_clear (&list->lock);
}

static void
add (StasisDamageList *list, StasisImageFault *damage_take)
{
  g_mutex_lock (&list->lock);
  if (list->damages->len + 1 < STASIS_IMAGE_DAMAGES_MAX)
    g_ptr_array_add (list->damages, damage_take);
  else
    {
      list->has_more = TRUE;
      stasis_image_fault_free (damage_take);
    }
  if (list->first_only || list->has_more)
    g_atomic_int_set (&list->stop, 1);
  g_mutex_unlock (&list->lock);
}

/* Note a damage. */
void
stasis_damage_list_add (StasisDamageList *list, guint64 offset, guint64 length, const char *format,
                        ...)
{
  va_list args;
  va_start (args, format);
  char *what = g_strdup_vprintf (format, args);
  va_end (args);
  add (list, damage_new (offset, length, what));
}

/* Note what an error of ours says. */
gboolean
stasis_damage_list_add_error (StasisDamageList *list, guint64 offset, guint64 length,
                              GError *cause_take, GError **error)
{
  if (cause_take->domain != STASIS_IMAGE_ERROR
      && !g_error_matches (cause_take, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT))
    {
      g_propagate_error (error, cause_take);
      return FALSE;
    }
  stasis_damage_list_add (list, offset, length, "%s", cause_take->message);
  g_error_free (cause_take);
  return TRUE;
}

/* TRUE where enough was found. */
gboolean
stasis_damage_list_is_done (StasisDamageList *list)
{
  return g_atomic_int_get (&list->stop) != 0;
}

static int
compare (gconstpointer a, gconstpointer b)
{
  const StasisImageFault *first = *(StasisImageFault *const *) a;
  const StasisImageFault *second = *(StasisImageFault *const *) b;
  return first->offset < second->offset ? -1 : first->offset > second->offset;
}

/* All of them in the order of the file. */
GPtrArray *
stasis_damage_list_steal (StasisDamageList *list)
{
  GPtrArray *damages = g_steal_pointer (&list->damages);
  g_ptr_array_sort (damages, compare);
  if (list->has_more)
    {
      const StasisImageFault *last = g_ptr_array_index (damages, damages->len - 1);
      char *what = g_strdup (_ ("there is more damage, nobody looked further"));
      g_ptr_array_add (damages, damage_new (last->offset + last->length, 0, what));
    }
  return damages;
}
