/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * key-file.c: what a file with a private key is, before libssh2 reads it
 *
 * libssh2 says the same of a key that wants a passphrase and of a file that holds none, so the
 * first words of the file are looked at here.
 */

#include "config.h"

#include "transport/key-file.h"

#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/fd.h"

#define KEY_MAX      (64u * 1024) /* octets */
#define OPENSSH_MARK "-----BEGIN OPENSSH PRIVATE KEY-----"
#define OPENSSH_NAME "openssh-key-v1"

/* The text of a file, which is small. */
static char *
read_text (int fd, const char *path, gsize size, GError **error)
{
  g_autofree char *text = g_malloc0 (size + 1);
  if (!stasis_fd_pread_exact (fd, text, size, 0, error))
    {
      g_prefix_error (error, "'%s': ", path);
      return NULL;
    }
  return g_steal_pointer (&text);
}

/* OpenSSH's own form: base64 of the name above, a NUL, and the name of the cipher. */
static gboolean
is_openssh_encrypted (const char *body)
{
  const gsize name_size = strlen (OPENSSH_NAME) + 1;
  g_autofree char *head = g_strndup (body, 128);
  gsize size;
  g_autofree guchar *octets = g_base64_decode (head, &size);
  const gsize cipher = name_size + 4;
  return size < cipher + 4 || memcmp (octets, OPENSSH_NAME, name_size) != 0
         || memcmp (octets + cipher, "none", 4) != 0;
}

/* As ssh does, a key that others can read is not used. */
gboolean
stasis_ssh_key_file_look (const char *path, StasisSshKeyState *out_state, GError **error)
{
  stasis_autofd int fd = stasis_fd_open (path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, error);
  if (fd < 0)
    return FALSE;
  struct stat st;
  if (fstat (fd, &st) != 0 || !S_ISREG (st.st_mode) || st.st_size > (off_t) KEY_MAX)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _ ("'%1$s' is no private key"),
                   path);
      return FALSE;
    }
  if (st.st_uid == geteuid () && (st.st_mode & 077) != 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
                   _ ("others may read the key '%1$s' (mode %2$04o)"), path,
                   (guint) st.st_mode & 07777);
      return FALSE;
    }
  g_autofree char *text = read_text (fd, path, (gsize) st.st_size, error);
  if (text == NULL)
    return FALSE;
  const char *body = strstr (text, "PRIVATE KEY-----");
  if (!g_str_has_prefix (g_strchug (text), "-----BEGIN ") || body == NULL)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _ ("'%1$s' is no private key"),
                   path);
      explicit_bzero (text, strlen (text));
      return FALSE;
    }
  const gboolean is_encrypted
      = g_str_has_prefix (text, OPENSSH_MARK)
            ? is_openssh_encrypted (strstr (text, OPENSSH_MARK) + strlen (OPENSSH_MARK))
            : strstr (text, "ENCRYPTED") != NULL;
  *out_state = is_encrypted ? STASIS_SSH_KEY_ENCRYPTED : STASIS_SSH_KEY_PLAIN;
  explicit_bzero (text, strlen (text));
  return TRUE;
}

/* kind base64 comment */
GBytes *
stasis_ssh_key_file_public (const char *path)
{
  g_autofree char *name = g_strconcat (path, ".pub", NULL);
  stasis_autofd int fd = stasis_fd_open (name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, NULL);
  struct stat st;
  if (fd < 0 || fstat (fd, &st) != 0 || !S_ISREG (st.st_mode) || st.st_size > (off_t) KEY_MAX)
    return NULL;
  g_autofree char *text = read_text (fd, name, (gsize) st.st_size, NULL);
  g_auto (GStrv) words = text != NULL ? g_strsplit (text, " ", 3) : NULL;
  if (words == NULL || g_strv_length (words) < 2)
    return NULL;
  gsize size;
  guchar *octets = g_base64_decode (words[1], &size);
  return g_bytes_new_take (octets, size);
}
