/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * input.c: the files that a command line names
 */

#include "config.h"

#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <glib/gi18n.h>

#include "util/fd.h"

#define PIECE_SIZE 65536u /* octets read at a time */

static gboolean
read_all (int fd, const char *name, GByteArray *text, GError **error)
{
  for (;;)
    {
      const guint before = text->len;
      g_byte_array_set_size (text, before + PIECE_SIZE);
      const gssize got = TEMP_FAILURE_RETRY (read (fd, text->data + before, PIECE_SIZE));
      g_byte_array_set_size (text, before + (guint) MAX (got, 0));
      if (got < 0)
        return stasis_throw_errno (error, _ ("failed to read '%s'"), name);
      if (got == 0)
        return TRUE;
      if (text->len > STASIS_CLI_XML_MAX)
        {
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE,
                       _ ("'%1$s' is longer than 1 MiB (%2$u octets), the most that a definition "
                          "may have"),
                       name, STASIS_CLI_XML_MAX);
          return FALSE;
        }
    }
}

/* Read a definition. */
char *
stasis_cli_read_text (const char *path, GError **error)
{
  stasis_autofd int opened = -1;
  int fd = STDIN_FILENO;
  if (strcmp (path, "-") != 0)
    {
      fd = opened = TEMP_FAILURE_RETRY (open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY));
      if (opened < 0)
        {
          stasis_throw_errno (error, _ ("failed to open file '%s'"), path);
          return NULL;
        }
    }

  const char *name = stasis_cli_source_name (path);
  g_autoptr (GByteArray) text = g_byte_array_new ();
  if (!read_all (fd, name, text, error))
    return NULL;
  if (memchr (text->data, '\0', text->len) != NULL)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _ ("'%1$s' is not a text"), name);
      return NULL;
    }
  g_byte_array_append (text, (const guint8 *) "", 1);
  return (char *) g_byte_array_free (g_steal_pointer (&text), FALSE);
}

/* Read a definition that may not have been given. */
gboolean
stasis_cli_read_optional (const char *path, char **out_text, GError **error)
{
  char *text = NULL;
  if (path != NULL)
    {
      text = stasis_cli_read_text (path, error);
      if (text == NULL)
        return FALSE;
    }
  *out_text = text;
  return TRUE;
}

/* "-" by its long name. */
const char *
stasis_cli_source_name (const char *path)
{
  return strcmp (path, "-") == 0 ? "/dev/stdin" : path;
}

/* For a command line that a message shows. */
char *
stasis_cli_shell_word (const char *word)
{
  for (const char *c = word; *c != '\0'; c++)
    if (!g_ascii_isalnum (*c) && strchr ("%+,-./:=@_", *c) == NULL)
      return g_shell_quote (word);
  return g_strdup (word);
}

/* Make the path of an image absolute. */
char *
stasis_cli_image_path (const StasisCli *cli, const char *path, GError **error)
{
  if (strcmp (path, "-") == 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                   _ ("standard input and output will not do here: name a file"));
      return NULL;
    }
  if (g_path_is_absolute (path))
    return g_strdup (path);
  if (stasis_driver_uri_kind (cli->uri) == STASIS_URI_REMOTE)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("'%1$s' is not an absolute path: files are those of the host of '%2$s'"),
                   path, cli->uri);
      return NULL;
    }

  g_autofree char *folder = getcwd (NULL, 0);
  if (folder == NULL)
    {
      stasis_throw_errno (error, _ ("failed to find the present folder"));
      return NULL;
    }
  return g_build_filename (folder, path, NULL);
}
