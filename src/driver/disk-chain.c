/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk-chain.c: the backing files below a disk's image
 *
 * QEMU gets each file by descriptor, so we must know them all before it starts.  Of qcow2 (QEMU's
 * docs/interop/qcow2.txt) only the header and its extensions are read: backing file name at
 * offset 8 (u64 offset, u32 length), incompatible features at 72, header length at 100, then
 * extensions {u32 type, u32 length, data padded to 8}.  All big-endian, every length bounded.
 */

#include "config.h"

#include "driver/disk-chain.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "util/fd.h"
#include "util/safe-open.h"

#define HEADER_SIZE        104u /* of version 3 */
#define HEADER_SIZE_V2     72u
#define NAME_MAX_OCTETS    1023u /* the format's own limit */
#define EXTENSIONS_MAX     64u
#define EXTENSION_SIZE_MAX 65536u

#define FEATURE_DATA_FILE (G_GUINT64_CONSTANT (1) << 2)
#define EXTENSION_END     0x00000000u
#define EXTENSION_FORMAT  0xe2792acau

/* NULL is fine. */
void
stasis_disk_link_free (StasisDiskLink *link)
{
  if (link == NULL)
    return;

  g_free (link->path);
  g_free (link->format);
  g_free (link);
}

static guint32
be32 (const guint8 *p)
{
  guint32 value;
  memcpy (&value, p, sizeof value);
  return GUINT32_FROM_BE (value);
}

static guint64
be64 (const guint8 *p)
{
  guint64 value;
  memcpy (&value, p, sizeof value);
  return GUINT64_FROM_BE (value);
}

/* The path comes in front of it in read_link(). */
static gboolean
refuse (GError **error, const char *reason)
{
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED, reason);
  return FALSE;
}

/* The backing format's name (transfer full), or NULL where the header does not say. */
static gboolean
read_backing_format (int fd, guint64 offset, char **out_format, GError **error)
{
  for (guint i = 0; i < EXTENSIONS_MAX; i++)
    {
      guint8 head[8];
      if (!stasis_fd_pread_exact (fd, head, sizeof head, offset, error))
        return FALSE;
      const guint32 type = be32 (head);
      const guint32 length = be32 (head + 4);
      if (type == EXTENSION_END || length > EXTENSION_SIZE_MAX)
        return TRUE;
      if (type == EXTENSION_FORMAT)
        {
          char name[16] = { 0 };
          if (length == 0 || length >= sizeof name)
            return TRUE;
          if (!stasis_fd_pread_exact (fd, name, length, offset + sizeof head, error))
            return FALSE;
          if (strlen (name) == length)
            *out_format = g_strdup (name);
          return TRUE;
        }
      offset += sizeof head + (length + 7u) / 8u * 8u;
    }
  return TRUE;
}

/* As QEMU tells "nbd:host" from a file: a colon in front of which is no slash. */
static gboolean
has_protocol (const char *name)
{
  return name[strcspn (name, ":/")] == ':';
}

/* (transfer full): empty where there is none. */
static char *
read_backing_name (int fd, const guint8 *header, GError **error)
{
  const guint64 offset = be64 (header + 8);
  const guint32 length = offset != 0 ? be32 (header + 16) : 0;
  if (length > NAME_MAX_OCTETS)
    {
      refuse (error, _ ("the name of its backing file is too long"));
      return NULL;
    }
  g_autofree char *name = g_malloc0 (length + 1);
  if (!stasis_fd_pread_exact (fd, name, length, offset, error))
    return NULL;
  if (strlen (name) != length || has_protocol (name))
    {
      refuse (error, _ ("its backing file is not a plain file name"));
      return NULL;
    }
  return g_steal_pointer (&name);
}

static gboolean
read_header (int fd, guint8 header[HEADER_SIZE], GError **error)
{
  struct stat st;
  if (fstat (fd, &st) < 0)
    return stasis_throw_errno (error, _ ("cannot look at it"));
  if (!S_ISREG (st.st_mode) && !S_ISBLK (st.st_mode))
    return refuse (error, _ ("neither a regular file nor a block device"));
  if (!stasis_fd_pread_exact (fd, header, HEADER_SIZE_V2, 0, error))
    return FALSE;

  const guint32 version = be32 (header + 4);
  if (memcmp (header, "QFI\xfb", 4) != 0 || version < 2 || version > 3)
    return refuse (error, _ ("is not a qcow2 image of version 2 or 3"));
  if (version == 2)
    return TRUE;
  if (!stasis_fd_pread_exact (fd, header, HEADER_SIZE, 0, error))
    return FALSE;
  if (be32 (header + 100) < HEADER_SIZE)
    return refuse (error, _ ("its header is too short"));
  if (be64 (header + 72) & FEATURE_DATA_FILE)
    return refuse (error, _ ("keeps its data in another file, which is not supported"));
  return TRUE;
}

static gboolean
read_below (int fd, char **out_name, char **out_format, GError **error)
{
  guint8 header[HEADER_SIZE] = { 0 };
  if (!read_header (fd, header, error))
    return FALSE;
  *out_name = read_backing_name (fd, header, error);
  if (*out_name == NULL)
    return FALSE;
  if (**out_name == '\0')
    return TRUE;

  const guint64 extensions = be32 (header + 4) == 3 ? be32 (header + 100) : HEADER_SIZE_V2;
  if (!read_backing_format (fd, extensions, out_format, error))
    return FALSE;
  if (*out_format == NULL)
    return refuse (error, _ ("does not say the format of its backing file; qemu-img rebase -u -F "
                             "tells it"));
  return TRUE;
}

/* What lies directly below, in *@out_link, or NULL there. */
static gboolean
read_link (const char *path, StasisDiskLink **out_link, GError **error)
{
  stasis_autofd int fd = stasis_safe_open (path, O_RDONLY | O_NONBLOCK, error);
  if (fd < 0)
    return FALSE;
  g_autofree char *name = NULL;
  g_autofree char *format = NULL;
  if (!read_below (fd, &name, &format, error))
    {
      g_prefix_error (error, "'%s': ", path);
      return FALSE;
    }
  if (*name == '\0')
    return TRUE;

  g_autofree char *folder = g_path_get_dirname (path);
  *out_link = g_new0 (StasisDiskLink, 1);
  (*out_link)->path = g_canonicalize_filename (name, folder);
  (*out_link)->format = g_steal_pointer (&format);
  return TRUE;
}

static void
free_link (gpointer link)
{
  stasis_disk_link_free (link);
}

/* What @path rests on. */
GPtrArray *
stasis_disk_chain_read (const char *path, const char *format, GError **error)
{
  g_autoptr (GPtrArray) chain = g_ptr_array_new_with_free_func (free_link);
  while (g_str_equal (format, "qcow2"))
    {
      StasisDiskLink *link = NULL;
      if (!read_link (path, &link, error))
        return NULL;
      if (link == NULL)
        break;
      g_ptr_array_add (chain, link);
      if (chain->len > STASIS_DISK_CHAIN_MAX)
        {
          g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                       _ ("'%s' rests on too many backing files, or on itself"), path);
          return NULL;
        }
      path = link->path;
      format = link->format;
    }
  return g_steal_pointer (&chain);
}
