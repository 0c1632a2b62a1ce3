/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * known-hosts.c: the keys of hosts in known_hosts files, as OpenSSH writes them
 *
 * Theory of operation
 *
 * A line is [@marker] names kind key [comment], see sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT".  names
 * is a list of patterns, of which one with a '!' in front excludes the host from the line, or one
 * name hashed: |1|salt|HMAC-SHA1.  libssh2 can read such files, but neither says in which line
 * something stands nor knows of revoked keys, and some of its versions give up at a line of a kind
 * they do not know.  So the texts are kept here as they are, and each question goes through their
 * lines.
 *
 * Who can write to these files decides which hosts are trusted, but not what our memory looks like:
 * files and lines are limited, and a line that is not understood says nothing.  Keys of certificate
 * authorities are not followed: libssh2 has no certificates of hosts.
 */

#include "config.h"

#include "transport/known-hosts.h"

#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/fd.h"
#include "util/safe-open.h"

#define FILE_MAX  (16u * 1024 * 1024) /* octets */
#define LINE_MAX_ (64u * 1024)        /* octets: a key of 16384 bits has 3 KiB */
#define HASH_MARK "|1|"
#define HASH_SIZE 20u /* of SHA-1, and so long are salts */

typedef struct
{
  char *path;   /* (owned) */
  char **lines; /* (owned) */
} File;

struct _StasisKnownHosts
{
  GPtrArray *files; /* (owned) (element-type File) */
};

/* One line that says something, in words. */
typedef struct
{
  gboolean is_revoked;
  const char *names; /* (borrowed from words) */
  const char *kind;  /* (borrowed from words) */
  GBytes *key;       /* (owned) */
  char **words;      /* (owned) */
} Entry;

static void
entry_clear (Entry *self)
{
  g_clear_pointer (&self->key, g_bytes_unref);
  g_clear_pointer (&self->words, g_strfreev);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Entry, entry_clear)

static void
file_free (gpointer data)
{
  File *self = data;
  g_free (self->path);
  g_strfreev (self->lines);
  g_free (self);
}

static StasisKnownHosts *
known_hosts_new (void)
{
  StasisKnownHosts *self = g_new0 (StasisKnownHosts, 1);
  self->files = g_ptr_array_new_with_free_func (file_free);
  return self;
}

/* Free it.  NULL is fine. */
void
stasis_known_hosts_free (StasisKnownHosts *self)
{
  if (self == NULL)
    return;
  g_ptr_array_unref (self->files);
  g_free (self);
}

/* The last file is not a text: nothing behind a NUL is read. */
static void
add_text (StasisKnownHosts *self, const char *path, const char *text, gsize length)
{
  g_autofree char *copy = g_strndup (length > 0 ? text : "", length);
  File *file = g_new0 (File, 1);
  file->path = g_strdup (path);
  file->lines = g_strsplit (copy, "\n", -1);
  g_ptr_array_add (self->files, file);
}

/* A text as if it were a file. */
StasisKnownHosts *
stasis_known_hosts_parse (const char *path, const char *text, gsize length)
{
  StasisKnownHosts *self = known_hosts_new ();
  add_text (self, path, text, MIN (length, FILE_MAX));
  return self;
}

/* The octets behind a descriptor. */
static GByteArray *
read_all (int fd, const char *path, GError **error)
{
  struct stat st;
  if (fstat (fd, &st) != 0 || !S_ISREG (st.st_mode) || st.st_size > (off_t) FILE_MAX)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_REGULAR_FILE,
                   _ ("'%1$s' is not a file of at most %2$u octets"), path, FILE_MAX);
      return NULL;
    }
  g_autoptr (GByteArray) octets = g_byte_array_new ();
  g_byte_array_set_size (octets, (guint) st.st_size);
  if (octets->len > 0 && !stasis_fd_pread_exact (fd, octets->data, octets->len, 0, error))
    return NULL;
  return g_steal_pointer (&octets);
}

/* Open all that are there. */
StasisKnownHosts *
stasis_known_hosts_load (const char *const *paths, GError **error)
{
  g_autoptr (StasisKnownHosts) self = known_hosts_new ();
  for (guint i = 0; paths[i] != NULL; i++)
    {
      g_autoptr (GError) local = NULL;
      stasis_autofd int fd = stasis_safe_open (paths[i], O_RDONLY | O_NONBLOCK | O_NOCTTY, &local);
      if (fd < 0 && g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
        continue;
      if (fd < 0)
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return NULL;
        }
      g_autoptr (GByteArray) octets = read_all (fd, paths[i], error);
      if (octets == NULL)
        return NULL;
      add_text (self, paths[i], (const char *) octets->data, octets->len);
    }
  return g_steal_pointer (&self);
}

/* "host", or "[host]:port" where the port is not ssh's own. */
char *
stasis_known_hosts_name (const char *host, guint port)
{
  g_autofree char *lower = g_ascii_strdown (host, -1);
  return port == 22 ? g_steal_pointer (&lower) : g_strdup_printf ("[%s]:%u", lower, port);
}

/* '*' and '?', without regard to case, in a time of the product of both lengths at most. */
static gboolean
pattern_matches (const char *pattern, const char *name)
{
  const char *star = NULL, *from = NULL;
  while (*name != '\0')
    if (*pattern == '*')
      {
        star = ++pattern;
        from = name;
      }
    else if (*pattern == '?' || (*pattern != '\0' && g_ascii_tolower (*pattern) == *name))
      {
        pattern++;
        name++;
      }
    else if (star != NULL)
      {
        pattern = star;
        name = ++from;
      }
    else
      return FALSE;
  while (*pattern == '*')
    pattern++;
  return *pattern == '\0';
}

/* HMAC-SHA1 of a name, keyed by the salt. */
static void
hash_name (const guint8 *salt, const char *name, guint8 out_hash[HASH_SIZE])
{
  gsize size = HASH_SIZE;
  g_autoptr (GHmac) hmac = g_hmac_new (G_CHECKSUM_SHA1, salt, HASH_SIZE);
  g_hmac_update (hmac, (const guchar *) name, -1);
  g_hmac_get_digest (hmac, out_hash, &size);
}

static gboolean
hash_matches (const char *hashed, const char *name)
{
  g_auto (GStrv) parts = g_strsplit (hashed + strlen (HASH_MARK), "|", 2);
  if (g_strv_length (parts) != 2)
    return FALSE;
  gsize salt_size, hash_size;
  g_autofree guchar *salt = g_base64_decode (parts[0], &salt_size);
  g_autofree guchar *hash = g_base64_decode (parts[1], &hash_size);
  if (salt_size != HASH_SIZE || hash_size != HASH_SIZE)
    return FALSE;
  guint8 own[HASH_SIZE];
  hash_name (salt, name, own);
  return memcmp (own, hash, HASH_SIZE) == 0;
}

static gboolean
names_match (const char *names, const char *name)
{
  if (g_str_has_prefix (names, HASH_MARK))
    return hash_matches (names, name);
  gboolean is_matched = FALSE;
  g_auto (GStrv) patterns = g_strsplit (names, ",", -1);
  for (guint i = 0; patterns[i] != NULL; i++)
    {
      const gboolean is_not = patterns[i][0] == '!';
      if (!pattern_matches (patterns[i] + (is_not ? 1 : 0), name))
        continue;
      if (is_not)
        return FALSE;
      is_matched = TRUE;
    }
  return is_matched;
}

/* The words of a line that is about @name. */
static gboolean
entry_read (Entry *entry, const char *line, const char *name)
{
  if (strnlen (line, LINE_MAX_ + 1) > LINE_MAX_)
    return FALSE;
  entry->words = g_strsplit_set (line, " \t\r", -1);
  const char *words[4] = { NULL };
  guint n = 0;
  for (guint i = 0; entry->words[i] != NULL && n < G_N_ELEMENTS (words); i++)
    if (entry->words[i][0] != '\0')
      words[n++] = entry->words[i];
  if (n == 0 || words[0][0] == '#')
    return FALSE;
  const guint first = words[0][0] == '@' ? 1 : 0;
  entry->is_revoked = first == 1 && g_str_equal (words[0], "@revoked");
  if (n < first + 3 || (first == 1 && !entry->is_revoked))
    return FALSE;
  entry->names = words[first];
  entry->kind = words[first + 1];
  if (!names_match (entry->names, name))
    return FALSE;
  gsize size;
  guchar *octets = g_base64_decode (words[first + 2], &size);
  entry->key = g_bytes_new_take (octets, size);
  g_autofree char *kind = stasis_known_hosts_kind (entry->key);
  return g_strcmp0 (kind, entry->kind) == 0;
}

/* What this line adds to what is known.  A key that is revoked is so wherever that stands. */
static StasisKnownHost
judge (StasisKnownHost before, const Entry *entry, GBytes *key, const char *kind)
{
  const gboolean is_same = g_bytes_equal (entry->key, key);
  if (entry->is_revoked)
    return is_same ? STASIS_KNOWN_HOST_REVOKED : before;
  if (before == STASIS_KNOWN_HOST_REVOKED || before == STASIS_KNOWN_HOST_MATCH)
    return before;
  if (is_same)
    return STASIS_KNOWN_HOST_MATCH;
  if (before == STASIS_KNOWN_HOST_MISMATCH)
    return before;
  return g_str_equal (entry->kind, kind) ? STASIS_KNOWN_HOST_MISMATCH
                                         : STASIS_KNOWN_HOST_OTHER_KIND;
}

/* Go through all lines. */
StasisKnownHost
stasis_known_hosts_check (const StasisKnownHosts *self, const char *name, GBytes *key,
                          const char **out_path, guint *out_line)
{
  StasisKnownHost known = STASIS_KNOWN_HOST_UNKNOWN;
  g_autofree char *kind = stasis_known_hosts_kind (key);
  *out_path = NULL;
  *out_line = 0;
  for (guint i = 0; kind != NULL && i < self->files->len; i++)
    {
      const File *file = g_ptr_array_index (self->files, i);
      for (guint line = 0; file->lines[line] != NULL; line++)
        {
          g_auto (Entry) entry = { 0 };
          if (!entry_read (&entry, file->lines[line], name))
            continue;
          const StasisKnownHost now = judge (known, &entry, key, kind);
          if (now == known)
            continue;
          known = now;
          *out_path = file->path;
          *out_line = line + 1;
        }
    }
  return known;
}

/* Each kind once, in the order of the lines. */
GPtrArray *
stasis_known_hosts_kinds (const StasisKnownHosts *self, const char *name)
{
  GPtrArray *kinds = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < self->files->len; i++)
    {
      const File *file = g_ptr_array_index (self->files, i);
      for (guint line = 0; file->lines[line] != NULL; line++)
        {
          g_auto (Entry) entry = { 0 };
          if (entry_read (&entry, file->lines[line], name) && !entry.is_revoked
              && !g_ptr_array_find_with_equal_func (kinds, entry.kind, g_str_equal, NULL))
            g_ptr_array_add (kinds, g_strdup (entry.kind));
        }
    }
  return kinds;
}

/* A length word, and the name. */
char *
stasis_known_hosts_kind (GBytes *key)
{
  gsize size;
  const guint8 *octets = g_bytes_get_data (key, &size);
  if (size < 4)
    return NULL;
  guint32 length;
  memcpy (&length, octets, 4);
  length = GUINT32_FROM_BE (length);
  if (length == 0 || length > 64 || length > size - 4)
    return NULL;
  for (guint i = 0; i < length; i++)
    if (!g_ascii_isalnum (octets[4 + i]) && memchr ("-.@_", octets[4 + i], 4) == NULL)
      return NULL;
  return g_strndup ((const char *) octets + 4, length);
}

/* Base64 without the padding, as ssh prints it. */
char *
stasis_known_hosts_fingerprint (GBytes *key)
{
  guint8 digest[32];
  gsize size = sizeof digest;
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  g_checksum_update (sum, g_bytes_get_data (key, NULL), (gssize) g_bytes_get_size (key));
  g_checksum_get_digest (sum, digest, &size);
  g_autofree char *base64 = g_base64_encode (digest, size);
  base64[strcspn (base64, "=")] = '\0';
  return g_strconcat ("SHA256:", base64, NULL);
}

/* (transfer full): the name as the others in the file are written. */
static char *
written_name (const char *name, const GByteArray *octets, GError **error)
{
  g_autofree char *text
      = g_strndup (octets->len > 0 ? (const char *) octets->data : "", octets->len);
  if (!g_str_has_prefix (text, HASH_MARK) && strstr (text, "\n" HASH_MARK) == NULL)
    return g_strdup (name);
  guint8 salt[HASH_SIZE], hash[HASH_SIZE];
  if (getentropy (salt, sizeof salt) != 0)
    {
      stasis_throw_errno (error, "getentropy");
      return NULL;
    }
  hash_name (salt, name, hash);
  g_autofree char *salt_text = g_base64_encode (salt, HASH_SIZE);
  g_autofree char *hash_text = g_base64_encode (hash, HASH_SIZE);
  return g_strdup_printf (HASH_MARK "%s|%s", salt_text, hash_text);
}

/* Open it for adding; a new one is for us only, and so is its folder. */
static int
open_for_append (const char *path, GError **error)
{
  const int flags = O_RDWR | O_APPEND | O_NONBLOCK | O_NOCTTY;
  g_autoptr (GError) local = NULL;
  const int fd = stasis_safe_open (path, flags, &local);
  if (fd >= 0 || !g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    {
      if (fd < 0)
        g_propagate_error (error, g_steal_pointer (&local));
      return fd;
    }
  g_autofree char *folder_path = g_path_get_dirname (path);
  if (g_mkdir_with_parents (folder_path, 0700) != 0)
    {
      stasis_throw_errno (error, _ ("cannot make '%1$s'"), folder_path);
      return -1;
    }
  g_autofree char *name = NULL;
  stasis_autofd int folder = stasis_safe_open_folder (path, &name, error);
  if (folder < 0)
    return -1;
  const int made = openat (folder, name, flags | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (made < 0)
    stasis_throw_errno (error, _ ("cannot make '%1$s'"), path);
  return made;
}

/* One write of one line: two who do it at once do not mix them. */
gboolean
stasis_known_hosts_append (const char *path, const char *name, GBytes *key, GError **error)
{
  g_autofree char *kind = stasis_known_hosts_kind (key);
  if (kind == NULL)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _ ("the key of '%1$s' is none"),
                   name);
      return FALSE;
    }
  stasis_autofd int fd = open_for_append (path, error);
  if (fd < 0)
    return FALSE;
  g_autoptr (GByteArray) octets = read_all (fd, path, error);
  if (octets == NULL)
    return FALSE;
  g_autofree char *written = written_name (name, octets, error);
  if (written == NULL)
    return FALSE;
  const gboolean is_cut = octets->len > 0 && octets->data[octets->len - 1] != '\n';
  g_autofree char *base64 = g_base64_encode (g_bytes_get_data (key, NULL), g_bytes_get_size (key));
  g_autofree char *line
      = g_strdup_printf ("%s%s %s %s\n", is_cut ? "\n" : "", written, kind, base64);
  return stasis_fd_write_exact (fd, line, strlen (line), error);
}
