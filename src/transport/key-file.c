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

#include "transport/rest.h"
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

/* What OpenSSH's own form has for everybody: the name above and a NUL; the cipher, how its key is
 * made of a passphrase, and with what; how many keys there are, and the public one.  The private
 * one comes after that. */
static gboolean
parse_openssh (const char *text, gboolean *out_is_encrypted, GBytes **out_public)
{
  const gsize name_size = strlen (OPENSSH_NAME) + 1;
  gsize size;
  g_autofree guchar *octets
      = g_base64_decode (strstr (text, OPENSSH_MARK) + strlen (OPENSSH_MARK), &size);
  StasisSshRest cipher, part, key;
  guint32 count;
  const gboolean is_name = size >= name_size && memcmp (octets, OPENSSH_NAME, name_size) == 0;
  StasisSshRest rest = { octets + name_size, is_name ? size - name_size : 0 };
  const gboolean is_whole
      = stasis_ssh_take_string (&rest, &cipher) && stasis_ssh_take_string (&rest, &part)
        && stasis_ssh_take_string (&rest, &part) && stasis_ssh_take_word (&rest, &count)
        && count == 1 && stasis_ssh_take_string (&rest, &key);
  if (is_whole)
    {
      *out_is_encrypted = cipher.left != 4 || memcmp (cipher.at, "none", 4) != 0;
      *out_public = g_bytes_new (key.at, key.left);
    }
  explicit_bzero (octets, size);
  return is_whole;
}

/* One of which that cannot be told passes for encrypted. */
static gboolean
is_encrypted (const char *text)
{
  gboolean is_so = TRUE;
  g_autoptr (GBytes) key = NULL;
  if (!g_str_has_prefix (text, OPENSSH_MARK))
    return strstr (text, "ENCRYPTED") != NULL;
  return !parse_openssh (text, &is_so, &key) || is_so;
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
  *out_state = is_encrypted (text) ? STASIS_SSH_KEY_ENCRYPTED : STASIS_SSH_KEY_PLAIN;
  explicit_bzero (text, strlen (text));
  return TRUE;
}

/* (nullable): that of a small file. */
static char *
load_text (const char *path)
{
  stasis_autofd int fd = stasis_fd_open (path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, NULL);
  struct stat st;
  if (fd < 0 || fstat (fd, &st) != 0 || !S_ISREG (st.st_mode) || st.st_size > (off_t) KEY_MAX)
    return NULL;
  return read_text (fd, path, (gsize) st.st_size, NULL);
}

/* kind base64 comment */
static GBytes *
load_public (const char *path)
{
  g_autofree char *name = g_strconcat (path, ".pub", NULL);
  g_autofree char *text = load_text (name);
  g_auto (GStrv) words = text != NULL ? g_strsplit (text, " ", 3) : NULL;
  if (words == NULL || g_strv_length (words) < 2)
    return NULL;
  gsize size;
  guchar *octets = g_base64_decode (words[1], &size);
  return g_bytes_new_take (octets, size);
}

/* It is beside the private one, and in it where OpenSSH wrote that in its own form. */
GBytes *
stasis_ssh_key_file_public (const char *path)
{
  GBytes *key = load_public (path);
  g_autofree char *text = key == NULL ? load_text (path) : NULL;
  gboolean is_so;
  if (text == NULL)
    return key;
  if (g_str_has_prefix (g_strchug (text), OPENSSH_MARK) && !parse_openssh (text, &is_so, &key))
    key = NULL;
  explicit_bzero (text, strlen (text));
  return key;
}
