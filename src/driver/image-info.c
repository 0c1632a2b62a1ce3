/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-info.c: what a save image says of itself, for the public API
 */

#include "config.h"

#include <stasis/image.h>

#include <string.h>

#include "driver/image-open.h"
#include "driver/image-peek.h"
#include "image/input-info.h"
#include "util/json.h"

/* Name and UUID of the domain, as far as the definition can be read. */
static void
add_domain (StasisJson *info, const StasisImageInput *input)
{
  g_auto (StasisImagePeek) peek = { .type = NULL };
  GBytes *xml = stasis_image_input_xml (input);
  if (xml != NULL && stasis_image_peek (xml, "", &peek, NULL) && peek.uuid != NULL
      && stasis_json_get (info, "domain-uuid") == NULL)
    stasis_json_set_string (info, "domain-uuid", peek.uuid);
  stasis_json_set (info, "domain-name",
                   peek.name != NULL ? stasis_json_new_string (peek.name)
                                     : stasis_json_new_null ());
}

/* What people look for comes first. */
static StasisJson *
in_order (const StasisJson *info)
{
  static const char *const first[]
      = { "name", "domain-name", "domain-uuid", "kind", "integrity", "format-version", "uuid" };
  StasisJson *sorted = stasis_json_new_object ();
  for (gsize i = 0; i < G_N_ELEMENTS (first); i++)
    {
      const StasisJson *value = stasis_json_get (info, first[i]);
      if (value != NULL)
        stasis_json_set (sorted, first[i], stasis_json_ref ((StasisJson *) value));
    }
  for (guint i = 0; i < stasis_json_object_size (info); i++)
    stasis_json_set (sorted, stasis_json_object_key (info, i),
                     stasis_json_ref ((StasisJson *) stasis_json_object_value (info, i)));
  return sorted;
}

static char *
get_info (const char *path, int fd, GError **error)
{
  g_autoptr (StasisImageInput) input = stasis_image_open_any (path, fd, NULL, error);
  g_autoptr (StasisJson) info = input != NULL ? stasis_image_input_info (input, NULL, error) : NULL;
  if (info == NULL)
    return NULL;
  add_domain (info, input);
  g_autoptr (StasisJson) sorted = in_order (info);
  return stasis_json_to_pretty_string (sorted);
}

/**
 * stasis_image_get_info_json:
 * @path: (type filename): a save image, of any kind
 * @error: return location
 *
 * Checks everything but the guest's memory, and tells what the image says of itself.  For a kind
 * that is not ours, and has no head that would tell, all of it is read.
 *
 * Returns: (transfer full): a JSON object, indented
 */
char *
stasis_image_get_info_json (const char *path, GError **error)
{
  return get_info (path, -1, error);
}

/**
 * stasis_image_get_info_json_fd:
 * @fd: a pipe or a file; borrowed
 * @error: return location
 *
 * The same of what comes out of a descriptor.  A pipe is read to its end.
 *
 * Returns: (transfer full): a JSON object, indented
 */
char *
stasis_image_get_info_json_fd (int fd, GError **error)
{
  return get_info (NULL, fd, error);
}

/**
 * stasis_image_get_xml:
 * @path: (type filename): a save image, of any kind
 * @flags: %STASIS_XML_SECURE: with passwords; the others mean nothing here
 * @error: return location
 *
 * The definition as it stands in the image; without %STASIS_XML_SECURE its secrets are left out,
 * and one that this version does not understand is refused, since nobody can tell what in it is
 * secret.  An image of 2007 ("trailer") has none: %STASIS_ERROR_UNSUPPORTED.
 *
 * Returns: (transfer full): the definition inside
 */
char *
stasis_image_get_xml (const char *path, StasisXmlFlags flags, GError **error)
{
  g_autoptr (StasisImageInput) input = stasis_image_open_any (path, -1, NULL, error);
  if (input == NULL)
    return NULL;
  if (flags & STASIS_XML_SECURE)
    return stasis_image_any_text (input, error);
  g_autoptr (StasisDomainDef) def = stasis_image_any_def (input, error);
  if (def == NULL)
    return NULL;
  return stasis_domain_def_format (def, STASIS_DOMAIN_FORMAT_ACTIVE);
}
