/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-facts.c: what is known of the QEMU behind an image that is converted
 *
 * Images that are not ours do not say which QEMU wrote them.  The definition names the emulator,
 * QEMU's stream its machine type; the version stays empty, which means that nobody knows it.
 */

#include "config.h"

#include "driver/image-facts.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "image/facts.h"

#define MAPPED_RAM "mapped-ram"

/* The capabilities that the new body needs. */
static StasisJson *
make_capabilities (const StasisJson *old, gboolean is_mapped)
{
  StasisJson *array = stasis_json_new_array ();
  for (guint i = 0; old != NULL && i < stasis_json_array_length (old); i++)
    {
      const char *name = stasis_json_string (stasis_json_array_get (old, i), "");
      if (strcmp (name, MAPPED_RAM) != 0)
        stasis_json_array_append_string (array, name);
    }
  if (is_mapped)
    stasis_json_array_append_string (array, MAPPED_RAM);
  return array;
}

static StasisJson *
copy_facts (const StasisJson *facts, gboolean is_mapped)
{
  StasisJson *copy = stasis_json_new_object ();
  for (guint i = 0; i < stasis_json_object_size (facts); i++)
    stasis_json_set (copy, stasis_json_object_key (facts, i),
                     stasis_json_ref ((StasisJson *) stasis_json_object_value (facts, i)));
  stasis_json_set (
      copy, STASIS_IMAGE_FACTS_CAPABILITIES,
      make_capabilities (stasis_json_get (facts, STASIS_IMAGE_FACTS_CAPABILITIES), is_mapped));
  return copy;
}

static void
add_cookie (StasisJson *facts, GBytes *cookie)
{
  gsize size = 0;
  const char *octets = cookie != NULL ? g_bytes_get_data (cookie, &size) : NULL;
  if (octets == NULL || !g_utf8_validate_len (octets, size, NULL))
    return;
  g_autofree char *text = g_strndup (octets, size);
  stasis_json_set_string (facts, STASIS_IMAGE_FACTS_LIBVIRT_COOKIE, text);
}

/* The QEMU_FACTS for an image of ours. */
StasisJson *
stasis_image_make_facts (StasisImageInput *input, const StasisImagePeek *peek, gboolean is_mapped,
                         GCancellable *cancellable, GError **error)
{
  const StasisImage *ours = stasis_image_input_ours (input);
  if (ours != NULL)
    return copy_facts (stasis_image_qemu_facts (ours), is_mapped);

  g_autofree char *machine = stasis_image_input_read_machine (input, cancellable, error);
  if (machine == NULL)
    return NULL;
  StasisJson *facts = stasis_json_new_object ();
  stasis_json_set_string (facts, STASIS_IMAGE_FACTS_EMULATOR,
                          peek->emulator != NULL ? peek->emulator : "");
  stasis_json_set_string (facts, STASIS_IMAGE_FACTS_VERSION, "");
  stasis_json_set_string (facts, STASIS_IMAGE_FACTS_MACHINE, machine);
  stasis_json_set_string (facts, STASIS_IMAGE_FACTS_ACCELERATOR,
                          g_strcmp0 (peek->type, "kvm") == 0 ? "kvm" : "tcg");
  stasis_json_set_string (facts, STASIS_IMAGE_FACTS_RUN_STATE,
                          stasis_image_input_was_running (input) ? "running" : "paused");
  stasis_json_set (facts, STASIS_IMAGE_FACTS_CAPABILITIES, make_capabilities (NULL, is_mapped));
  add_cookie (facts, stasis_image_input_cookie (input));
  return facts;
}

/* libvirt's cookie, wherever it is. */
GBytes *
stasis_image_find_cookie (const StasisImageInput *input)
{
  GBytes *cookie = stasis_image_input_cookie (input);
  if (cookie != NULL)
    return g_bytes_ref (cookie);
  const StasisImage *ours = stasis_image_input_ours (input);
  const StasisJson *facts = ours != NULL ? stasis_image_qemu_facts (ours) : NULL;
  const char *text
      = stasis_json_string (stasis_json_get (facts, STASIS_IMAGE_FACTS_LIBVIRT_COOKIE), NULL);
  return text != NULL ? g_bytes_new (text, strlen (text)) : NULL;
}

/* What an image of @kind cannot say. */
char **
stasis_image_list_lost (const StasisImageInput *input, StasisImageKind kind)
{
  GPtrArray *lost = g_ptr_array_new ();
  const StasisImage *ours = stasis_image_input_ours (input);
  const gboolean to_ours
      = kind == STASIS_IMAGE_KIND_STASIS || kind == STASIS_IMAGE_KIND_STASIS_STREAM;
  const gboolean to_trailer = kind == STASIS_IMAGE_KIND_TRAILER;
  if (ours != NULL && !to_ours)
    {
      g_ptr_array_add (lost, g_strdup (_ ("the checksums: damage will not be noticed")));
      g_ptr_array_add (lost, g_strdup (_ ("the record of the disks: a disk that changes will not "
                                          "be noticed")));
      g_ptr_array_add (lost, g_strdup (_ ("the facts about QEMU")));
      g_ptr_array_add (lost, g_strdup (_ ("the image's UUID: that it was resumed once will not be "
                                          "noticed")));
    }
  if (ours != NULL && !to_ours
      && stasis_json_boolean (
          stasis_json_get (stasis_image_qemu_facts (ours), STASIS_IMAGE_FACTS_FROZEN), FALSE))
    g_ptr_array_add (lost, g_strdup (_ ("that the guest's file systems are frozen: they have to be "
                                        "thawed by hand once it runs")));
  if (ours != NULL && stasis_image_n_unknown_records (ours) > 0)
    g_ptr_array_add (lost, g_strdup (_ ("records that this program does not know")));
  if (to_trailer && stasis_image_input_kind (input) != STASIS_IMAGE_KIND_TRAILER)
    {
      g_ptr_array_add (lost, g_strdup (_ ("the definition, but for its UUID: the domain has to be "
                                          "defined when it is restored")));
      g_ptr_array_add (lost, g_strdup (_ ("whether the guest was running")));
    }
  g_autoptr (GBytes) cookie = stasis_image_find_cookie (input);
  if (to_trailer && cookie != NULL)
    g_ptr_array_add (lost, g_strdup (_ ("libvirt's cookie")));
  g_ptr_array_add (lost, NULL);
  return (char **) g_ptr_array_free (lost, FALSE);
}
