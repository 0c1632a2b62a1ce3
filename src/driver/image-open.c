/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-open.c: save images of all kinds, for the public API
 */

#include "config.h"

#include "driver/image-open.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "image/error.h"
#include "util/fd.h"
#include "util/safe-open.h"

/* A FIFO by that name must not hold us up, and one that nobody writes to yet would look empty. */
static int
open_path (const char *path, GError **error)
{
  stasis_autofd int fd = stasis_safe_open (path, O_RDONLY | O_NOCTTY | O_NONBLOCK, error);
  struct stat st;
  if (fd < 0)
    return -1;
  if (fstat (fd, &st) == 0 && S_ISREG (st.st_mode))
    return stasis_fd_steal (&fd);
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_NOT_AN_IMAGE,
               _ ("'%1$s' is not a regular file"), path);
  return -1;
}

static int
duplicate (int fd, const char *name, GError **error)
{
  const int own = fcntl (fd, F_DUPFD_CLOEXEC, 3);
  if (own < 0)
    stasis_throw_errno (error, "'%s'", name);
  return own;
}

/* What messages call it. */
char *
stasis_image_name_fd (int fd)
{
  return fd == STDIN_FILENO ? g_strdup ("/dev/stdin") : g_strdup_printf ("/dev/fd/%d", fd);
}

/* Open a duplicate of @fd. */
StasisImageInput *
stasis_image_open_any_fd (int fd, const char *name, GCancellable *cancellable, GError **error)
{
  const int own = duplicate (fd, name, error);
  return own < 0 ? NULL : stasis_image_input_open (own, name, cancellable, error);
}

/* Open @path, or a duplicate of @fd. */
StasisImageInput *
stasis_image_open_any (const char *path, int fd, GCancellable *cancellable, GError **error)
{
  if (path == NULL)
    {
      g_autofree char *name = stasis_image_name_fd (fd);
      return stasis_image_open_any_fd (fd, name, cancellable, error);
    }
  const int own = open_path (path, error);
  return own < 0 ? NULL : stasis_image_input_open (own, path, cancellable, error);
}

/* The definition inside as text. */
char *
stasis_image_any_text (const StasisImageInput *input, GError **error)
{
  GBytes *xml = stasis_image_input_xml (input);
  if (xml == NULL)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("'%1$s' has no definition inside: an image of kind '%2$s' only has the UUID "
                      "of its domain"),
                   stasis_image_input_name (input),
                   stasis_image_kind_to_string (stasis_image_input_kind (input)));
      return NULL;
    }
  gsize size = 0;
  const char *octets = g_bytes_get_data (xml, &size);
  return g_strndup (octets, size);
}

/* The definition as it stands there. */
StasisDomainDef *
stasis_image_any_def (const StasisImageInput *input, GError **error)
{
  g_autofree char *xml = stasis_image_any_text (input, error);
  return xml == NULL
             ? NULL
             : stasis_domain_def_parse (xml, -1, stasis_image_input_name (input), NULL,
                                        STASIS_DOMAIN_PARSE_ACTIVE | STASIS_DOMAIN_PARSE_AS_IS,
                                        error);
}
