/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guests-list.c: the domains that ran when the guests were stopped
 *
 * Theory of operation
 *
 * The list is a folder, LIB/guests, with a small file for each domain.  So each of several threads
 * writes its own domain's entry, whole or not at all, and a process that dies leaves the others'.
 * An entry says no more than that the domain ran, and how it was stopped; whether there is an image
 * to bring it back from is asked of the image.  An entry that is there too long, because its
 * removal was not on disk when the power went, does no harm: its domain runs, or its image is gone.
 */

#include "config.h"

#include "driver/guests-list.h"

#include <string.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "util/atomic-file.h"
#include "util/json.h"

#define FORMAT 1

static const char *const state_names[] = {
  [STASIS_GUEST_STATE_RAN] = "ran",
  [STASIS_GUEST_STATE_SAVED] = "saved",
  [STASIS_GUEST_STATE_SHUT_DOWN] = "shut-down",
};

/**
 * stasis_guest_state_to_string:
 * @state: a state
 *
 * Returns: the word for it
 */
const char *
stasis_guest_state_to_string (StasisGuestState state)
{
  return (guint) state < G_N_ELEMENTS (state_names) ? state_names[state] : "unknown";
}

static void
guest_free (gpointer data)
{
  StasisGuest *guest = data;
  g_free (guest->name);
  g_free (guest->uuid);
  g_free (guest->message);
  g_free (guest);
}

/* FALSE where it is not an entry of ours. */
static gboolean
parse_entry (const char *text, StasisGuest *guest, GError **error)
{
  g_autoptr (StasisJson) json = stasis_json_parse (text, -1, error);
  const char *uuid = NULL;
  const char *state = NULL;
  if (json == NULL || !stasis_json_need_string (json, "uuid", &uuid, error)
      || !stasis_json_need_string (json, "state", &state, error))
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (state_names); i++)
    if (g_str_equal (state, state_names[i]))
      {
        guest->state = i;
        guest->uuid = g_strdup (uuid);
        guest->message = g_strdup (stasis_json_string (stasis_json_get (json, "message"), NULL));
        return TRUE;
      }
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED, _ ("the state '%s' is not known"), state);
  return FALSE;
}

/* An image that was complete when its stop died is not noted, and counts all the same. */
static void
find_image (StasisDriver *driver, StasisGuest *guest)
{
  g_autofree char *image = stasis_paths_managed_save (driver->paths, guest->name);
  if (guest->state == STASIS_GUEST_STATE_RAN && g_file_test (image, G_FILE_TEST_EXISTS))
    guest->state = STASIS_GUEST_STATE_SAVED;
}

/* That it is there says that the domain ran. */
static StasisGuest *
read_entry (StasisDriver *driver, const char *name)
{
  StasisGuest *guest = g_new0 (StasisGuest, 1);
  guest->name = g_strdup (name);
  g_autofree char *path = stasis_paths_guest (driver->paths, name);
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;
  if (!g_file_get_contents (path, &text, NULL, &error) || !parse_entry (text, guest, &error))
    guest->message = g_strdup_printf (_ ("'%1$s' cannot be read: %2$s"), path, error->message);
  find_image (driver, guest);
  return guest;
}

static int
compare_guests (gconstpointer a, gconstpointer b)
{
  const StasisGuest *x = *(const StasisGuest *const *) a;
  const StasisGuest *y = *(const StasisGuest *const *) b;
  return strcmp (x->name, y->name);
}

/* All of them. */
GPtrArray *
stasis_guests_list_load (StasisDriver *driver, GError **error)
{
  g_autofree char *folder = g_build_filename (driver->paths->lib, "guests", NULL);
  g_autoptr (GPtrArray) names = stasis_paths_names (folder, ".json", error);
  if (names == NULL)
    return NULL;

  GPtrArray *guests = g_ptr_array_new_with_free_func (guest_free);
  for (guint i = 0; i < names->len; i++)
    g_ptr_array_add (guests, read_entry (driver, g_ptr_array_index (names, i)));
  g_ptr_array_sort (guests, compare_guests);
  return guests;
}

/* Set the entry of this domain. */
gboolean
stasis_guests_list_set (StasisDriver *driver, const char *name, const char *uuid,
                        StasisGuestState state, const char *message, GError **error)
{
  g_autoptr (StasisJson) json = stasis_json_new_object ();
  stasis_json_set_int (json, "format", FORMAT);
  stasis_json_set_string (json, "name", name);
  stasis_json_set_string (json, "uuid", uuid);
  stasis_json_set_string (json, "state", stasis_guest_state_to_string (state));
  if (message != NULL)
    stasis_json_set_string (json, "message", message);
  g_autofree char *text = stasis_json_to_pretty_string (json);
  g_autofree char *path = stasis_paths_guest (driver->paths, name);
  g_autofree char *folder = g_path_get_dirname (path);
  return stasis_paths_make (folder, error)
         && stasis_atomic_file_write (path, text, strlen (text), 0600, error);
}

/* Take it off the list. */
void
stasis_guests_list_remove (StasisDriver *driver, const char *name)
{
  g_autofree char *path = stasis_paths_guest (driver->paths, name);
  if (unlink (path) == 0)
    g_debug ("'%s' is off the list of guests", name);
}
